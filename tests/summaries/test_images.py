"""Input images of any dtype have the right brightness, or are refused."""

import numpy as np
import pytest
import tensorflow as tf

from tfplm.summaries import EventFiles, create_writer, input_images

PIXELS = np.arange(256).reshape(1, 16, 16, 1)


def written(folder, images, **keywords) -> list[np.ndarray]:
    """The images in the event file, uint8 `[H,W,C]`."""
    with create_writer(folder).as_default(0):
        input_images("in", images, **keywords)
    _, (content,) = EventFiles(folder).points("in")
    return [tf.io.decode_png(png).numpy() for png in content[2:]]


INTEGERS = ["uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]


@pytest.mark.parametrize("dtype", [*INTEGERS, "float16", "float32", "float64", "bfloat16"])
def test_mean_of_all_greys(tmp_path, dtype):
    images = tf.cast(PIXELS if dtype in INTEGERS else PIXELS / 255, dtype)
    (picture,) = written(tmp_path / "tensor", images)
    np.testing.assert_allclose(picture, PIXELS[0], atol=0 if dtype in INTEGERS else 2)
    assert picture.mean() == pytest.approx(127.5, abs=0.5)
    (again,) = written(tmp_path / "array", images.numpy())
    np.testing.assert_array_equal(again, picture)


def test_small_integers_and_booleans(tmp_path):
    (picture,) = written(tmp_path / "int8", (PIXELS // 2).astype(np.int8))
    np.testing.assert_array_equal(picture, PIXELS[0] // 2)
    (picture,) = written(tmp_path / "bool", PIXELS > 127)
    np.testing.assert_array_equal(picture, np.where(PIXELS[0] > 127, 255, 0))
    (picture,) = written(tmp_path / "list", PIXELS.tolist())
    np.testing.assert_array_equal(picture, PIXELS[0])


def test_one_image(tmp_path):
    (picture,) = written(tmp_path, np.full((5, 7, 3), [10, 20, 30], np.uint8))
    assert picture.shape == (5, 7, 3) and picture[4, 6].tolist() == [10, 20, 30]


def test_only_the_shown_images_are_checked(tmp_path):
    images = np.stack([np.zeros((5, 5)), np.full((5, 5), 7.0)])
    assert len(written(tmp_path, images, max_outputs=1)) == 1


@pytest.mark.parametrize(("images", "message"), [
    (PIXELS.astype(np.float32), "dtype float32 have values from 0 to 255; expected 0 to 1: divide them by 255"),
    (PIXELS / 127.5 - 1, "dtype float64 .* from -1 to 1; expected 0 to 1"),
    (PIXELS.astype(np.uint16) * 257, "dtype uint16 have values from 0 to 65535; expected 0 to 255: scale them"),
    (PIXELS - 128, "dtype int64 have values from -128 to 127; expected 0 to 255"),
    (PIXELS * np.nan, "contain NaN or infinite values"), (np.where(PIXELS == 7, np.inf, 0.5), "contain NaN or infinite"),
    (PIXELS.astype(complex), "dtype complex128; expected integers from 0 to 255, floats"),
    (PIXELS.astype(str), "dtype string; expected integers"), (np.zeros((2, 4, 4, 2)), "expected .* with C 1, 3 or 4"),
    (np.zeros((2, 783)), r"shape \(2, 783\); expected \[B, H, W, C\] .* one image is image\[None\]"),
    (np.zeros((16, 16)), r"shape \(16, 16\); expected"), (np.zeros(784), r"shape \(784,\); expected"),
    (np.zeros(()), "expected"), (np.zeros((1, 0, 4, 1)), "without a pixel")])
def test_refused(tmp_path, images, message):
    with create_writer(tmp_path).as_default(0), pytest.raises(ValueError, match=message):
        input_images("in", images)


def test_in_a_graph(tmp_path):
    @tf.function
    def write(images):
        input_images("in", images)

    with create_writer(tmp_path).as_default(0):
        write(tf.constant(PIXELS, tf.int32))
        with pytest.raises(tf.errors.InvalidArgumentError, match="expected 0 to 255"):
            write(tf.constant(PIXELS * 2, tf.int32))
    assert len(EventFiles(tmp_path).points("in")[0]) == 1
