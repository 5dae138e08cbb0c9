"""The third document (overview of pre-trained language models): the examples of its self-supervised tasks."""

import re

import numpy as np
import pytest
import tensorflow as tf

import tfplm
from tests.adapt.adapt_cases import SPECIAL, TINY
from tfplm.models.scoring import is_next, open_pair_model


def pairs_of(line: str) -> list[tuple[str, str, bool]]:
    """The pairs in the form `[CLS] A[SEP] B[SEP]  -> True`."""
    return [(a.strip(), b.strip(), label == "True")
            for a, b, label in re.findall(r"\[CLS\](.*?)\[SEP\](.*?)\[SEP\]\s*->\s*(True|False)", line)]


pytestmark = pytest.mark.usefixtures("eagerly")


def test_line_19_next_sentence_is_asked(document, tmp_path):
    """A tiny model learns the two pairs, and answers as printed when it is asked."""
    pairs = pairs_of(document("overview").text(19, 19))
    assert [label for *_, label in pairs] == [True, False]
    characters = sorted({character for a, b, _ in pairs for character in a + b})
    (tmp_path / "vocab.txt").write_text("\n".join([*SPECIAL, *characters]) + "\n", encoding="utf-8")
    tokenizer = tfplm.Tokenizer.from_pretrained(tmp_path / "vocab.txt")
    tf.keras.utils.set_random_seed(0)
    model = tfplm.from_config("bert-tiny", "pretraining", **{**TINY, "vocab_size": len(tokenizer)})
    batch = tokenizer([a for a, *_ in pairs], [b for _, b, _ in pairs])
    labels, optimizer = np.array([0, 1]), tf.keras.optimizers.Adam(1e-2)  # 0 is the class "next", as in BERT
    for _ in range(10):
        with tf.GradientTape() as tape:
            loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, model(batch, training=True)["next_sentence"])
        used = [variable for variable in model.trainable_variables if "lm_" not in variable.path]
        optimizer.apply_gradients(zip(tape.gradient(loss, used), used))
    tfplm.save_pretrained(model, tmp_path / "model", tokenizer)
    assert [is_next(tmp_path / "model", a, b) for a, b, _ in pairs] == [True, False]
    opened = open_pair_model(tmp_path / "model")
    assert opened.objective == "nsp" and is_next(opened, *pairs[0][:2])
