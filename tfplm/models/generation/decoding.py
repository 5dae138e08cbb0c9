"""Steps of a model with a key-value cache: from the last tokens to the scores of the next ones.

The columns of the cache are those of the token rows: P of the prompts, which end in the same column, then one for each
new token.
"""

from keras import ops

from tfplm.layers import masks
from tfplm.layers.cache import grow, kept, repeat


def _columns(length):
    return ops.arange(length, dtype="int32")[None]


def _allow(config, length, real, offset):
    """The attention masks for `length` queries from column `offset` on, over the keys marked by `real` `[R,S]`."""
    if config.attention_type == "prefix":  # generated tokens attend to all tokens before them
        config = config.replace(attention_type="causal")
    return masks.policy(config, length, real, key_length=real.shape[1], offset=offset)


def logits_of(model, hidden):
    """Logits, float32 `[R,V]`, of the hidden states `[R,1,H]`."""
    return model.head({"sequence_output": hidden}, {})[:, 0]


def prefill(model, inputs: dict, copies: int, new: int) -> tuple:
    """Processes all tokens of the prompts in one step.

    Args:
        inputs: `ids` `[B,P]` and `padding` `[B]` as in `Prompts`, optionally `token_type_ids` `[B,P]`; for an
            encoder-decoder also `encoder`, the batch of the encoder.
        copies: number of rows for each prompt (beams or samples).
        new: number of columns for new tokens.

    Returns:
        The scores of the next token `[B * copies,V]`; the cache, a list with an entry for each layer; and the
        properties of the rows that `advance` needs: `padding` `[B * copies]`, `token_type_ids` `[B * copies]`,
        `memory_mask`.
    """
    ids, padding = inputs["ids"], inputs["padding"]
    length = ids.shape[1]
    real = _columns(length) >= padding[:, None]
    positions = ops.maximum(_columns(length) - padding[:, None], 0)
    rows, context = {"padding": padding}, {}
    stack = model.decoding_stack
    if "encoder" in inputs:
        entries = model.memory_cache(inputs["encoder"])
        rows["memory_mask"] = inputs["encoder"]["attention_mask"]
        context["memory_allow"] = masks.padding(rows["memory_mask"])
    else:
        entries = [{} for _ in stack.layers_in_order()]
        segments = inputs.get("token_type_ids")
        context["token_type_ids"] = segments
        if model.config.attention_type == "prefix":
            rows["token_type_ids"] = ops.ones_like(padding)
        elif segments is not None:
            rows["token_type_ids"] = segments[:, -1]
    if stack.config.attention_type == "prefix":
        segments = ops.zeros_like(ids) if segments is None else segments
        allow = masks.policy(stack.config, length, real, segments)
    else:
        allow = _allow(stack.config, length, real, 0)
    empty = stack.empty_cache(ops.shape(ids)[0], length, model.compute_dtype)
    cache = [{**layer, **entry} for layer, entry in zip(empty, entries)]
    hidden, cache = model.step(ids, cache, ops.zeros((), "int32"), allow, positions, **context)
    scores = ops.repeat(logits_of(model, hidden[:, -1:]), copies, axis=0)
    rows = {name: ops.repeat(values, copies, axis=0) for name, values in rows.items()}
    return scores, repeat(grow(kept(cache), length + new), copies), rows


def advance(model, ids, cache, column, rows: dict) -> tuple:
    """The scores `[R,V]` of the tokens after `ids` `[R]`, which are in `column`; and the new cache."""
    real = _columns(cache[0]["self"][0].shape[2]) >= rows["padding"][:, None]
    context = {}
    if "memory_mask" in rows:
        context["memory_allow"] = masks.padding(rows["memory_mask"])
    elif "token_type_ids" in rows:
        context["token_type_ids"] = rows["token_type_ids"][:, None]
    allow = _allow(model.decoding_stack.config, 1, real, column)
    hidden, cache = model.step(ids[:, None], cache, column, allow, (column - rows["padding"])[:, None], **context)
    return logits_of(model, hidden), kept(cache)
