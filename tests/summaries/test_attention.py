"""Attention maps and masks as images: cells, labels, fonts."""

import numpy as np
import pytest
import tensorflow as tf

from tfplm.summaries import EventFiles, attention_images, create_writer, fonts, mask_image
from tfplm.summaries.heatmap import Heatmap

TOKENS = ["[CLS]", "苹", "果", "很", "甜", "[SEP]"]


def attentions(layers=2, heads=3, size=8):
    maps = np.random.default_rng(0).random((layers, 2, heads, size, size)).astype(np.float32)
    return list(maps / maps.sum(-1, keepdims=True))


def pictures(folder) -> dict[str, np.ndarray]:
    events = EventFiles(folder)
    return {tag: tf.io.decode_png(events.points(tag)[1][0][2]).numpy() for tag in events.tags("images")}


def test_one_image_per_layer_with_a_panel_for_each_head(tmp_path):
    with create_writer(tmp_path).as_default(4):
        attention_images("attention", attentions(), tokens=TOKENS, example=1)
    drawn = pictures(tmp_path)
    assert sorted(drawn) == [f"attention/layer_{layer}/heads" for layer in range(2)]
    heatmap = Heatmap(TOKENS, TOKENS, room=600)
    high, wide = heatmap.frame.shape[:2]
    picture = drawn["attention/layer_1/heads"]
    assert picture.shape == (2 * (high + 22), 2 * wide, 3)
    wanted = heatmap.draw(attentions()[1][1, 2, :6, :6])  # the padding after the tokens is cut off
    np.testing.assert_array_equal(picture[high + 44:, :wide], wanted)  # the third head begins the second row
    assert (picture[high + 22:, wide:] == 255).all() and (picture[:22, :wide] < 128).any()  # no fourth head; a title


def test_most_names(tmp_path):
    """Of 60 tokens every third is named, so that the names stay legible."""
    words = [f"w{index}" for index in range(60)]
    heatmap, thinned = Heatmap(words, words), Heatmap([w if i % 3 == 0 else "x" for i, w in enumerate(words)], words)
    np.testing.assert_array_equal(heatmap.frame, thinned.frame)
    changed = Heatmap([*words[:3], "y", *words[4:]], words)
    assert (heatmap.frame != changed.frame).any()
    for size in (23, 24, 25, 48, 49, 512):
        every = -(-size // 24)
        assert len(range(0, size, every)) <= 24 and max(Heatmap(["a"] * size, ["a"] * size).frame.shape) <= 1200


@pytest.mark.parametrize("allow", [np.full((2, 2), -1e9), np.array([[0, -np.inf], [0, 0]]), np.full((2, 2), 0.5)])
def test_masks_of_other_values(tmp_path, allow):
    with create_writer(tmp_path).as_default(0), pytest.raises(ValueError, match="expected booleans, or 1 where a token may"):
        mask_image("mask", allow)


def test_chosen_layers_and_heads(tmp_path):
    with create_writer(tmp_path).as_default(0):
        attention_images("a", attentions(), layers=[-1], heads=[0])
        with pytest.raises(ValueError, match="there is no layer 2; there are 2, from 0 to 1"):
            attention_images("a", attentions(), layers=[2])
    assert list(pictures(tmp_path)) == ["a/layer_1/head_0"]


def test_cells_show_the_values():
    heatmap = Heatmap(TOKENS, TOKENS[:4])
    picture = heatmap.draw(np.arange(24).reshape(6, 4) / 23)
    cells = picture[heatmap.box][heatmap.cell // 2::heatmap.cell, heatmap.cell // 2::heatmap.cell]
    assert cells.shape == (6, 4, 3)
    np.testing.assert_array_equal(cells.reshape(-1, 3), heatmap.colours[(np.arange(24) / 23 * 255).round().astype(int)])
    with pytest.raises(ValueError, match=r"shape \(4, 6\); expected \(6, 4\)"):
        heatmap.draw(np.zeros((4, 6)))
    with pytest.raises(ValueError, match="6 labels for 5 rows"):
        Heatmap(TOKENS, TOKENS, shape=(5, 6))


def test_different_chinese_labels_look_different():
    if fonts.chinese_family() is None:
        pytest.skip("no font with Chinese glyphs is installed")
    frames = [Heatmap([word] * 3, ["a"] * 3).frame for word in ("苹", "果", "苹")]
    assert (frames[0] != frames[1]).any() and (frames[0] == frames[2]).all()


def test_without_a_chinese_font_code_points_are_drawn(monkeypatch):
    monkeypatch.setattr(fonts, "chinese_family", lambda: None)
    fonts._warn.cache_clear()
    with pytest.warns(UserWarning, match="no installed font has the characters 果苹.*fonts-noto-cjk"):
        labels, families = fonts.drawable(["苹果", "a$b", "\n"])
    assert labels == ["U+82F9U+679C", r"a\$b", "␣"] and families == [fonts.LATIN]


def test_long_sequences_stay_small():
    heatmap = Heatmap(shape=(512, 512))
    assert max(heatmap.draw(np.eye(512)).shape) <= 1200
    spelled = Heatmap(["word"] * 96, ["word"] * 96)
    assert max(spelled.frame.shape) <= 1200


@pytest.mark.parametrize("shape", [(5, 5), (2, 5, 5), (2, 1, 5, 5)])
def test_mask_matrix(tmp_path, shape):
    allow = np.broadcast_to(np.tri(5, dtype=bool), shape)
    with create_writer(tmp_path).as_default(0):
        mask_image("mask", allow, tokens=list("一二三四五"))
    heatmap = Heatmap(list("一二三四五"), list("一二三四五"), colours="cividis")
    np.testing.assert_array_equal(pictures(tmp_path)["mask"], heatmap.draw(np.tri(5)))


def test_mask_of_another_shape(tmp_path):
    with create_writer(tmp_path).as_default(0), pytest.raises(ValueError, match=r"\(5,\); expected \[T, S\]"):
        mask_image("mask", np.ones(5))
