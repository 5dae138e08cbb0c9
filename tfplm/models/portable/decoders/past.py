"""Language models with their cache as inputs and outputs, with the names and shapes of Hugging Face's exporters.

One function serves both the prompt and each step after it: the cache grows by the tokens that are given, and is empty at
first (`[B,N,0,D]`).
"""

import tensorflow as tf
from keras import ops

from tfplm.layers import masks
from tfplm.layers.cache import kept
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.signatures import check_float32, weight_bytes

_IDS = tf.TensorSpec([None, None], tf.int32)


def portables_with_past(model: PretrainedModel) -> dict[str, Portable]:
    """The functions of a language model with a cache.

    - "step": `input_ids` `[B,T]`, `attention_mask` `[B,P + T]` (1 = real, of past and new tokens), for each layer
      `past_key_values.0.key` and `.value` `[B,N,P,D]` -> `logits` `[B,T,V]`, `present.0.key`, ... `[B,N,P + T,D]`.

    Encoder-decoders have two, which share the keys and values of cross-attention:

    - "encode": `input_ids`, `attention_mask` `[B,S]` -> `present.0.encoder.key`, ... `[B,N,S,D]`;
    - "step": `input_ids`, `attention_mask` of the decoder, `encoder_attention_mask` `[B,S]`,
      `past_key_values.0.decoder.key`, ..., `past_key_values.0.encoder.key`, ... -> `logits`, `present.0.decoder.key`, ...

    Not for attention masks that depend on segments (prefix), for which it is empty.
    """
    check_float32(model)
    stack = model.decoding_stack
    if stack.config.attention_type != "causal":
        return {}
    shape = [None, stack.config.num_attention_heads, None, stack.config.attention_head_dim]
    layers = range(len(stack.layers_in_order()))
    side = "decoder." if model.is_seq2seq else ""
    past = _names("past_key_values", layers, side)
    inputs = {"input_ids": _IDS, "attention_mask": _IDS}
    crossed: list[str] = []
    result = {}
    if model.is_seq2seq:
        result["encode"] = _encode(model, _names("present", layers, "encoder."))
        inputs["encoder_attention_mask"] = _IDS
        crossed = _names("past_key_values", layers, "encoder.")
    inputs |= dict.fromkeys([*past, *crossed], tf.TensorSpec(shape, tf.float32))

    def function(batch: dict) -> dict:
        logits, cache = _step(model, batch, [batch[name] for name in past], [batch[name] for name in crossed])
        return {"logits": logits, **dict(zip(_names("present", layers, side), cache))}

    result["step"] = Portable(function, inputs, ("logits", *_names("present", layers, side)),
                              weight_bytes=weight_bytes(model), config=model.config)
    return result


def _names(kind: str, layers: range, side: str) -> list[str]:
    return [f"{kind}.{layer}.{side}{part}" for layer in layers for part in ("key", "value")]


def _pairs(tensors: list) -> list[tuple]:
    return list(zip(tensors[::2], tensors[1::2]))


def _encode(model, names: list[str]) -> Portable:
    def function(batch: dict) -> dict:
        return dict(zip(names, [tensor for layer in model.memory_cache(batch) for tensor in layer["cross"]]))

    return Portable(function, {"input_ids": _IDS, "attention_mask": _IDS}, tuple(names),
                    weight_bytes=weight_bytes(model), config=model.config)


def _step(model, batch: dict, past: list, crossed: list) -> tuple:
    """(logits `[B,T,V]`, the keys and values of all layers)."""
    ids, mask = batch["input_ids"], batch["attention_mask"]
    new, before = ops.shape(ids)[1], ops.shape(past[0])[2]
    positions = ops.maximum(ops.cumsum(mask, axis=1) - 1, 0)[:, before:]
    grown = [tf.pad(tensor, [[0, 0], [0, 0], [0, new], [0, 0]]) for tensor in past]
    cache: list[dict] = [{"self": pair} for pair in _pairs(grown)]
    context = {}
    if crossed:
        cache = [{**layer, "cross": pair} for layer, pair in zip(cache, _pairs(crossed))]
        context["memory_allow"] = masks.padding(batch["encoder_attention_mask"])
    allow = masks.policy(model.decoding_stack.config, new, mask, key_length=before + new, offset=before)
    hidden, cache = model.step(ids, cache, before, allow, positions, **context)
    logits = model.head({"sequence_output": hidden}, {})
    return logits, [tensor for layer in kept(cache) for tensor in layer["self"]]
