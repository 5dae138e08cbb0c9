"""Images of confusion matrices and precision-recall curves, with Chinese labels."""

import numpy as np
import pytest
import tensorflow as tf

from tfplm.summaries import (
    EventFiles,
    confusion_image,
    create_writer,
    fonts,
    precision_recall_image,
    write_confusion,
    write_precision_recall,
)

NAMES = ["体育", "娱乐", "科技"]
MATRIX = np.array([[9, 1, 0], [0, 12_345, 0], [5, 0, 5]])
CURVES = {"体育": ([1, 1, 0.5], [0.2, 0.6, 1]), "娱乐": ([1, 0.9], [0.5, 1])}


def blue(picture) -> int:
    """The number of pixels in the darkest colour of the map, that of full cells and the end of the colour bar."""
    return int((np.abs(picture.astype(int) - [8, 48, 107]).max(-1) < 3).sum())


def test_confusion():
    picture = confusion_image(MATRIX, NAMES)
    assert picture.dtype == np.uint8 and picture.shape[2] == 3 and min(picture.shape[:2]) > 150
    diagonal = confusion_image(np.diag([3, 4, 5]), NAMES)
    assert blue(diagonal) > 2 * blue(picture) > 1000  # three full rows against one full and one nearly full
    assert blue(confusion_image(np.zeros((3, 3)), NAMES)) < 100  # no division by zero for rows without examples
    assert not np.array_equal(confusion_image(MATRIX), picture)  # numbers instead of names


@pytest.mark.parametrize("size", [1, 25, 97, 200])
def test_sizes(size):
    picture = confusion_image(np.eye(size, dtype=int), [f"类{index}" for index in range(size)])
    assert max(picture.shape[:2]) < 1400 and blue(picture) > 40


def test_curves():
    picture = precision_recall_image(CURVES)
    assert picture.dtype == np.uint8 and picture.shape == (520, 640, 3)
    # matplotlib's first two colours, the worse curve first
    first, second = (int((np.abs(picture.astype(int) - colour).max(-1) < 3).sum())
                     for colour in ([31, 119, 180], [255, 127, 14]))
    assert first > 100 and second > 100
    many = {f"{index}": ([1 - index / 20], [1]) for index in range(15)}
    worst = {name: many[name] for name in list(many)[5:]}
    right = slice(None), slice(450, None)  # of the legend, whose title differs
    np.testing.assert_array_equal(precision_recall_image(many)[right], precision_recall_image(worst)[right])
    assert precision_recall_image({}).shape == picture.shape


def test_no_font_warns(monkeypatch):
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    fonts._warn.cache_clear()
    with pytest.warns(UserWarning, match="fonts-noto-cjk"):
        confusion_image(MATRIX, NAMES)


def test_written(tmp_path):
    with create_writer(tmp_path).as_default(7):
        write_confusion("dev/confusion", MATRIX, NAMES)
        write_precision_recall("dev/precision_recall", CURVES, step=8)
    events = EventFiles(tmp_path)
    assert events.tags("images") == ["dev/confusion", "dev/precision_recall"]
    steps, values = events.points("dev/confusion")
    assert steps.tolist() == [7] and events.points("dev/precision_recall")[0].tolist() == [8]
    np.testing.assert_array_equal(tf.io.decode_png(values[0][2]), confusion_image(MATRIX, NAMES))
    write_confusion("nowhere", MATRIX)  # without a writer it does nothing


@pytest.mark.parametrize(("draw", "message"), [
    (lambda: confusion_image(np.zeros((2, 3))), r"shape \(2, 3\) and 2 labels"),
    (lambda: confusion_image(MATRIX, ["a"]), r"shape \(3, 3\) and 1 labels; expected a square matrix and a label"),
    (lambda: confusion_image(np.zeros((0, 0))), "has 0 classes.*expected counts of one or more classes"),
    (lambda: confusion_image(-MATRIX), "cells from -12345 on; expected counts"),
    (lambda: confusion_image(MATRIX * np.nan), "expected counts of one or more classes, 0 or more"),
    (lambda: confusion_image(5), "expected a square matrix"),
    (lambda: precision_recall_image({"a": ([1], [1, 2])}), "curve of a has 1 values of precision and 2 of recall")])
def test_errors(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
