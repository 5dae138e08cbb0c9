"""Tiny configurations for the contract tests: one of every family, and one of every field that changes a computation."""

import functools
import zlib

import keras
import numpy as np
import pytest

import tfplm
from tfplm.core.config import Config
from tfplm.families import registry

VOCABULARY = 47
TINY = {"vocab_size": VOCABULARY, "hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3,
        "intermediate_size": 19, "max_position_embeddings": 21, "pad_token_id": 1, "bos_token_id": 0,
        "eos_token_id": 2, "decoder_start_token_id": 2, "initializer_range": 0.3}
OWN = {  # additional fields of a family
    "albert": {"embedding_size": 7}, "electra": {"embedding_size": 7}, "ernie": {"task_type_vocab_size": 3},
    "bart": {"num_decoder_layers": 1, "decoder_attention_heads": 2, "decoder_intermediate_size": 13},
    "mbart": {"decoder_start_token_id": None}, "openai-gpt": {"intermediate_size": 48},
    "t5": {"head_dim": 5, "relative_attention_num_buckets": 8, "relative_attention_max_distance": 9,
           "initializer_range": 1.0},
    "mt5": {"head_dim": 4, "initializer_range": 1.0},
    "textcnn": {"embedding_size": 7}, "bilstm": {"embedding_size": 7},
    "modernbert": {"num_hidden_layers": 4, "attention_window": 4},
}
VARIANTS: dict[str, tuple[str, dict]] = {  # name -> (family, fields)
    "pre_norm": ("bert", {"norm_placement": "pre", "final_norm": True, "embedding_norm": False}),
    "rms_norm": ("bert", {"norm_type": "rms_norm"}),
    "gated": ("bert", {"ffn_gated": True, "ffn_bias": False, "attention_bias": False, "hidden_act": "silu"}),
    "quick_gelu": ("bert", {"hidden_act": "quick_gelu", "lm_transform_act": "tanh"}),
    "share_attention": ("bert", {"share": "attention"}),
    "share_ffn": ("bert", {"share": "ffn"}),
    "share_all": ("bert", {"share": "all"}),
    "groups": ("albert", {"num_hidden_layers": 4, "num_hidden_groups": 2}),
    "inner_groups": ("albert", {"inner_group_num": 2}),
    "factorised": ("bert", {"embedding_size": 7, "scale_embedding": True}),
    "sinusoidal": ("bert", {"position_type": "sinusoidal"}),
    "bucketed": ("bert", {"position_type": "bucketed", "relative_attention_num_buckets": 8,
                          "relative_attention_max_distance": 9}),
    "no_positions": ("bert", {"position_type": "none"}),
    "offset": ("bert", {"position_offset": 3, "type_vocab_size": 0}),
    "narrow_heads": ("bert", {"head_dim": 3}),
    "task_types": ("bert", {"task_type_vocab_size": 3}),
    "untied": ("bert", {"tie_word_embeddings": False, "lm_bias": False}),
    "bert_causal": ("bert", {"attention_type": "causal"}),
    "causal_reverse": ("bert", {"attention_type": "causal_reverse"}),
    "prefix": ("bert", {"attention_type": "prefix"}),
    "sparse": ("gpt2", {"attention_type": "sparse", "attention_window": 3, "num_hidden_layers": 3}),
    "local": ("bert", {"layer_pattern": ["local", "global"], "attention_window": 4, "num_hidden_layers": 3,
                       "position_type": "rotary", "rope_theta": 1000.0, "local_rope_theta": 20.0}),
    "local_bucketed": ("gpt2", {"layer_pattern": ["local"], "attention_window": 4, "attention_type": "causal_reverse",
                                "position_type": "bucketed", "relative_attention_num_buckets": 8}),
    "rotary": ("bert", {"position_type": "rotary", "rope_theta": 100.0}),
    "rotary_decoder": ("gpt2", {"position_type": "rotary", "rope_interleaved": True, "rope_theta": 100.0}),
    "rotary_seq2seq": ("bart", {"position_type": "rotary", "rope_theta": 100.0}),
    "no_biases": ("bert", {"norm_bias": False, "attention_bias": False, "ffn_bias": False, "norm_placement": "pre",
                           "first_norm": False}),
    "head_transform": ("bert", {"head_act": "relu", "head_bias": False, "lm_transform": False,
                                "classifier_pooling": "mean", "choice_pooling": "mean"}),
    "bucketed_decoder": ("gpt2", {"position_type": "bucketed", "relative_attention_num_buckets": 8}),
    "gpt2_shared": ("gpt2", {"share": "all", "embedding_size": 7, "lm_transform": True}),
    "deep_decoder": ("t5", {**OWN["t5"], "num_decoder_layers": 3, "ffn_gated": True, "tie_word_embeddings": False,
                            "lm_scale": False}),
    "t5_encoder": ("t5", {**OWN["t5"], "architecture": "encoder"}),
    "layerdrop": ("bart", {"layerdrop": 0.5}),
    "widths": ("textcnn", {"kernel_sizes": [1, 6], "num_hidden_layers": 1, "embedding_size": 5}),
}
CASES: dict[str, Config] = {
    name: Config.from_dict({**registry.family(name).base, **TINY, **OWN.get(name, {})}) for name in registry.families()}
FAMILIES = list(CASES)
CASES |= {name: Config.from_dict({**registry.family(family).base, **TINY, **OWN.get(family, {}), **fields})
          for name, (family, fields) in VARIANTS.items()}

BASELINES = ("textcnn", "bilstm")  # architectures without attention
LM = {"encoder": "masked_lm", "decoder": "causal_lm", "seq2seq": "seq2seq_lm", **dict.fromkeys(BASELINES, "masked_lm")}
LABELLED = ["sequence_classification", "token_classification", "question_answering"]
HEADS = {"encoder": ["masked_lm", "pretraining", "replaced_token_detection", *LABELLED, "multiple_choice"],
         "decoder": ["causal_lm", *LABELLED], "seq2seq": ["seq2seq_lm", *LABELLED],
         **{name: ["masked_lm", *LABELLED, "multiple_choice"] for name in BASELINES}}


SIMILAR = ("camembert", "ernie", "mbart", "mt5", "openai-gpt", "xlm-roberta")  # similar to another family
QUICK = [*(name for name in FAMILIES if name not in SIMILAR), "prefix", "sparse", "bucketed", "groups", "local",
         "rotary_decoder"]


def sweep(quick: list[str] = QUICK, slow: list[str] = tuple(CASES)) -> list:
    """All cases as parameters; those that are not in `quick` are marked slow, and those also not in `slow` all."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow if name in slow else pytest.mark.all)
            for name in CASES]


def heads_of(name: str) -> list[str]:
    """The heads that are possible for a case: without a pooler there is no second pretraining task."""
    config = CASES[name]
    heads = HEADS[config.architecture]
    return heads if config.pooler else [head for head in heads if head != "pretraining"]


@functools.cache
def model(name: str, head: str | None = None, **arguments):
    """A model with random weights, in which no bias is 0 and no gain is 1, so that errors are not hidden."""
    keras.utils.set_random_seed(zlib.crc32(name.encode()) % 1000)
    built = tfplm.from_config(CASES[name], head, **arguments)
    rng = np.random.default_rng(7)
    for weight in built.trainable_weights:
        if weight.name in ("bias", "beta", "gamma", "lm_bias"):
            weight.assign(weight + rng.normal(0, 0.2, weight.shape).astype("float32"))
    return built


def batch(name: str, rows: int = 3, length: int = 9, padded: bool = True, head: str | None = None) -> dict:
    """int32 arrays; the first row is full, the others are padded on the right if `padded`."""
    config, rng = CASES[name], np.random.default_rng(length)
    shape = (rows, 2, length) if head == "multiple_choice" else (rows, length)
    lengths = np.array([length - (2 * row if padded else 0) for row in range(rows)])
    mask = np.broadcast_to(np.arange(length) < lengths.reshape(-1, *[1] * (len(shape) - 1)), shape).astype(np.int32)
    ids = rng.integers(3, VOCABULARY, shape)
    ids[..., lengths.min() - 1] = config.eos_token_id
    result = {"input_ids": np.where(mask == 1, ids, 1).astype(np.int32), "attention_mask": mask}
    if config.type_vocab_size > 1:  # for the prefix policy: source, then target
        result["token_type_ids"] = np.broadcast_to(np.arange(length) >= 3, shape).astype(np.int32) * mask
    if config.task_type_vocab_size:
        result["task_type_ids"] = rng.integers(0, 3, shape).astype(np.int32)
    if config.architecture == "seq2seq" and head != "sequence_classification":  # classification shifts the input ids
        result["decoder_input_ids"] = rng.integers(3, VOCABULARY, (rows, length - 2)).astype(np.int32)
        real = np.arange(length - 2) < lengths[::-1, None]
        result["decoder_attention_mask"] = real.astype(np.int32)
    return result
