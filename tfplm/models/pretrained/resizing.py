"""Checks of a tokenizer against the embeddings of a model, and resizing of the embeddings."""

import keras

from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.weights import named_variables

# variables with a row (or, at axis 1, a column) for each token
_ROWS = {"embeddings/word/embeddings": 0, "lm_decoder/kernel": 1, "lm_bias": 0}


def check_vocabulary(model: PretrainedModel, tokenizer) -> None:
    """Raises ValueError if the tokenizer has ids without an embedding, or a different padding id."""
    rows, tokens = model.config.vocab_size, len(tokenizer)
    if tokens > rows:
        raise ValueError(f"the tokenizer has {tokens} tokens, but the model's embeddings have {rows} rows: either it "
                         "belongs to another model, or tokens were added; in the second case use model = "
                         f"tfplm.models.resize_token_embeddings(model, {tokens})")
    if model.config.positions_from_ids and tokenizer.pad_token_id != model.config.pad_token_id:
        raise ValueError(f"the padding id of the tokenizer is {tokenizer.pad_token_id}, expected "
                         f"{model.config.pad_token_id}, by which the model computes positions: use the tokenizer of "
                         "this model")


def resize_token_embeddings(model: PretrainedModel, rows: int) -> PretrainedModel:
    """A copy of the model with embeddings for `rows` tokens.

    The first rows are copied, additional ones are newly initialized; weights, biases and tied logits of a language
    model's head are resized as well. Labels, dtype and head are unchanged.

    Raises ValueError if `rows` is not positive.
    """
    if rows < 1:
        raise ValueError(f"rows is {rows}, expected a positive number of tokens")
    resized = type(model)(model.config.replace(vocab_size=rows), model.head_name, model.num_labels, model.dtype_policy,
                          model.name)
    new = named_variables(resized)
    for path, variable in named_variables(model).items():
        value = variable.value
        if path in _ROWS and variable.shape != new[path].shape:
            kept, axis = min(rows, model.config.vocab_size), _ROWS[path]
            parts = [keras.ops.take(one, keras.ops.arange(start, stop, dtype="int32"), axis=axis)
                     for one, start, stop in ((value, 0, kept), (new[path].value, kept, rows))]
            value = keras.ops.concatenate(parts, axis=axis)
        new[path].assign(value)
    return resized
