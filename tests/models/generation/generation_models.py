"""Small random models that generate varied texts, and a slow generator for comparison."""

import functools

import numpy as np

import tfplm

SIZE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48, "vocab_size": 67}


@functools.cache
def make(preset: str, head: str = "causal_lm", dtype: str | None = None, **overrides):
    """A model with weights so large that its texts do not repeat one token."""
    model = tfplm.from_config(preset, head, dtype=dtype, **{**SIZE, **overrides})
    random = np.random.default_rng(7)
    for variable in model.variables:
        if len(variable.shape) == 2:
            variable.assign(random.normal(0, 0.4, variable.shape))
    return model


def gpt2(**overrides):
    return make("gpt2", eos_token_id=None, bos_token_id=None, max_position_embeddings=64, **overrides)


def bart():
    return make("bart-base", "seq2seq_lm", num_decoder_layers=2, forced_eos_token_id=None, max_position_embeddings=64)


def t5():
    return make("t5-v1_1-small", "seq2seq_lm", num_decoder_layers=2, head_dim=8)


@functools.cache
def by_full_computation(model, new: int) -> np.ndarray:
    """Greedy search without a cache: all logits are computed again for each token, and each of `prompts()` separately.
    """
    rows = []
    for ids, mask in zip(*prompts().values()):
        ids = [int(i) for i, real in zip(ids, mask) if real]
        if model.config.architecture == "seq2seq":
            text = [model.config.decoder_start_token_id]
            for _ in range(new):
                logits = model({"input_ids": np.array([ids]), "decoder_input_ids": np.array([text])})
                text.append(int(np.argmax(logits[0, -1])))
        else:
            text = list(ids)
            for _ in range(new):
                text.append(int(np.argmax(model({"input_ids": np.array([text])})[0, -1])))
            text = text[len(ids):]
        rows.append(text)
    return np.array(rows)


def prompts(side: str = "right", lengths=(6, 3, 1)) -> dict:
    """Prompts of different lengths; the padding has an id that also occurs in prompts."""
    random, width = np.random.default_rng(3), max(lengths)
    batch = {"input_ids": np.full((len(lengths), width), 5, np.int32),
             "attention_mask": np.zeros((len(lengths), width), np.int32)}
    for row, length in enumerate(lengths):
        columns = slice(0, length) if side == "right" else slice(width - length, width)
        batch["input_ids"][row, columns] = random.integers(3, 60, length)
        batch["attention_mask"][row, columns] = 1
    return batch
