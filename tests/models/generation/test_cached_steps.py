"""Steps with a key-value cache give the same outputs as the whole sequence at once."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models import cases
from tfplm.layers import masks

SIMILAR = ("openai-gpt", "gpt2_shared", "mbart", "mt5")  # to a case beside them
CAUSAL = ["gpt2", "openai-gpt", "sparse", "bucketed_decoder", "gpt2_shared", "bert_causal", "rotary_decoder"]
SEQ2SEQ = ["bart", "mbart", "t5", "mt5", "deep_decoder", "rotary_seq2seq"]
LENGTH = 7


def mostly_quick(names: list[str]) -> list:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SIMILAR else []) for name in names]


def run(model, ids, chunks, **arguments):
    """Hidden states of `ids`, passed to `model.step` in chunks; `memory` is the cross-attention's part of the cache."""
    stack = model.decoder if model.config.architecture == "seq2seq" else model.stack
    cache = stack.empty_cache(ids.shape[0], LENGTH, "float32")
    if memory := arguments.pop("memory", None):
        cache = [{**entry, **crossed} for entry, crossed in zip(cache, memory)]
    outputs, start = [], 0
    for size in chunks:
        allow = masks.policy(stack.config, size, key_length=LENGTH, offset=start)
        positions = tf.range(start, start + size)[None]
        states, cache = model.step(ids[:, start:start + size], cache, tf.constant(start), allow, positions, **arguments)
        outputs.append(states)
        start += size
    return np.concatenate(outputs, axis=1)


@pytest.mark.parametrize("chunks", [[1] * LENGTH, [4, 1, 2]], ids=["single", "chunks"])
@pytest.mark.parametrize("name", mostly_quick(CAUSAL))
def test_decoder(name, chunks):
    model, ids = cases.model(name), cases.batch(name, length=LENGTH, padded=False)["input_ids"]
    whole = model({"input_ids": ids})["sequence_output"]
    np.testing.assert_allclose(run(model, ids, chunks), whole, atol=1e-5)


@pytest.mark.parametrize("chunks", [[1] * LENGTH, [4, 1, 2]], ids=["single", "chunks"])
@pytest.mark.parametrize("name", mostly_quick(SEQ2SEQ))
def test_seq2seq(name, chunks):
    model, batch = cases.model(name), cases.batch(name, length=LENGTH + 2)
    batch.pop("decoder_attention_mask")
    batch = {key: tf.constant(value) for key, value in batch.items()}
    whole = model(batch)["sequence_output"]
    states = run(model, batch["decoder_input_ids"], chunks, memory=model.memory_cache(batch),
                 memory_allow=masks.padding(batch["attention_mask"]))
    np.testing.assert_allclose(states, whole, atol=1e-5)
