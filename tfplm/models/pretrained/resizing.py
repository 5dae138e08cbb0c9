"""Vocabulary and embeddings: do they fit, and more rows for tokens that were added."""

import keras

from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.weights import named_variables

# variables with a row (or, at axis 1, a column) for each token
_ROWS = {"embeddings/word/embeddings": 0, "lm_decoder/kernel": 1, "lm_bias": 0}


def check_vocabulary(model: PretrainedModel, tokenizer) -> None:
    """Raises a ValueError where a tokenizer gives ids that the model has no embedding for, or pads otherwise."""
    rows, tokens = model.config.vocab_size, len(tokenizer)
    if tokens > rows:
        raise ValueError(f"the tokenizer has {tokens} tokens, but the model's embeddings have {rows} rows: either it "
                         "belongs to another model, or tokens were added; then model = "
                         f"tfplm.models.resize_token_embeddings(model, {tokens})")
    if model.config.positions_from_ids and tokenizer.pad_token_id != model.config.pad_token_id:
        raise ValueError(f"the tokenizer pads with id {tokenizer.pad_token_id}, the model counts positions by the "
                         f"padding id {model.config.pad_token_id}: the tokenizer belongs to another model")


def resize_token_embeddings(model: PretrainedModel, rows: int) -> PretrainedModel:
    """A copy of the model with `rows` tokens: the first rows are the old ones, further ones are freshly initialised,
    and weights, biases and tied logits of a language-model head follow. Labels, dtype and head stay.

    Raises:
        ValueError: `rows` is not positive.
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
