"""Batches as users pass them: conversion to arrays of ids, and messages for what a model cannot read.

Values are checked where they are known, in NumPy arrays and eager tensors; shapes and dtypes also while a graph is
traced. A compiled step has no checks, and is not slower.
"""

import warnings
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from tfplm.core.suggest import nearest

EMBEDDINGS = ("inputs_embeds", "decoder_inputs_embeds")
HEAD_MASKS = ("head_mask", "decoder_head_mask", "cross_attn_head_mask")
MASKS = ("attention_mask", "decoder_attention_mask")
IDS = ("input_ids", "decoder_input_ids")
BESIDE_IDS = ("token_type_ids", "position_ids", "task_type_ids")  # of the same shape as `input_ids`
KNOWN = (*IDS, *MASKS, *BESIDE_IDS, "masked_lm_positions", *EMBEDDINGS, *HEAD_MASKS)
# names of other libraries
SPELLINGS = {"input_mask": "attention_mask", "padding_mask": "attention_mask", "mask": "attention_mask",
             "segment_ids": "token_type_ids", "input_type_ids": "token_type_ids", "input_word_ids": "input_ids",
             "token_ids": "input_ids", "ids": "input_ids", "decoder_token_ids": "decoder_input_ids",
             "decoder_padding_mask": "decoder_attention_mask"}
_INT32 = np.iinfo(np.int32)


def readable(batch):
    """The batch with int32 arrays or tensors in place of lists and of arrays of other types; tensors stay tensors.

    Raises ValueError for texts, ragged rows, numbers that are no ids, masks of a wrong shape, and misspelled keys.
    """
    if not isinstance(batch, Mapping):
        array = _array("input_ids", batch)
        _check_shapes({"input_ids": array})
        return array
    arrays = {name: _array(name, x) if name in KNOWN else x for name, x in batch.items() if x is not None}
    if len(arrays) > 1 or "input_ids" not in arrays:
        check_keys(arrays)
        arrays = {name: x for name, x in arrays.items() if name in KNOWN or _is_array(x)}
    _check_shapes(arrays)
    return arrays


def readable_data(x, what: str = "x"):
    """The same for the first argument of `fit`, `evaluate` and `predict`; datasets and generators are not changed.

    An unknown key is named in a warning.
    """
    if not (isinstance(x, Mapping | list | tuple | str | bytes | int | float) or _is_array(x)):
        return x
    data = readable(x)
    if isinstance(data, dict) and (unknown := [name for name in data if name not in KNOWN]):
        warnings.warn(f"the model does not use {', '.join(map(repr, unknown))} of {what}; it knows {', '.join(KNOWN)}",
                      stacklevel=4)
    return data


def readable_labels(y):
    """Lists of numbers as an array: Keras reads a list as several outputs."""
    return np.asarray(y) if isinstance(y, list | tuple) and isinstance(_leaf(y), int | float | np.number) else y


def check_keys(batch: Mapping) -> None:
    """Raises ValueError for a batch without ids or embeddings, and for another spelling of a known key."""
    for name in batch:
        if name not in KNOWN and isinstance(name, str):
            meant = SPELLINGS.get(name) or next(iter(nearest(name, KNOWN, cutoff=0.85)), None)
            if meant is not None and meant not in batch:
                raise ValueError(f"the batch has the keys {', '.join(map(repr, batch))}, expected '{meant}' in place "
                                 f"of '{name}': rename it")
    if "input_ids" not in batch and "inputs_embeds" not in batch:
        raise ValueError(f"the batch has the keys {', '.join(map(repr, batch)) or 'none'}, expected 'input_ids': pass "
                         "the result of tokenizer(texts)")


def _is_array(x) -> bool:
    return isinstance(x, np.ndarray | keras.KerasTensor | keras.Variable) or ops.is_tensor(x)


def _array(name: str, x):
    """One value of a batch: a NumPy array or a tensor."""
    if not _is_array(x) or (isinstance(x, np.ndarray) and x.dtype == object):
        x = _from_list(name, x)
    elif hasattr(x, "row_splits"):
        raise ValueError(_ragged(name, "a ragged tensor") + ", e.g. tensor.to_tensor(PAD_ID)")
    elif hasattr(x, "dense_shape"):
        raise ValueError(f"{name} is a sparse tensor; expected a dense one: use tf.sparse.to_dense(tensor)")
    dtype = x.dtype if isinstance(x.dtype, str) else x.dtype.name
    if dtype == "int32":
        return x
    if dtype == "string":
        raise ValueError(_texts(name))
    if isinstance(x, np.ndarray) and x.dtype.kind in "US":
        raise ValueError(_texts(name, *x.reshape(-1)[:1]))
    if name in EMBEDDINGS + HEAD_MASKS:
        return x
    if isinstance(x, np.ndarray) or hasattr(x, "numpy"):
        return _as_ids(name, np.asarray(x))
    # a symbolic tensor; Keras would round float ids to the dtype of the model
    return ops.cast(x, "int32") if "float" in dtype else x


def _from_list(name: str, x) -> np.ndarray:
    """A list, number, or array of another library as a NumPy array."""
    if not isinstance(x, list | tuple):
        x = np.asarray(x)
        if x.dtype != object:
            return x
        x = x.tolist()
    leaf = _leaf(x)
    if isinstance(leaf, str | bytes):
        raise ValueError(_texts(name, leaf))
    if len(getattr(leaf, "shape", ())) > 1:
        raise ValueError(f"{name} is a list of {len(x)} arrays; expected one array [batch, length], or a dict such as "
                         "{'input_ids': ..., 'token_type_ids': ...}: pass a dict")
    try:
        array = np.asarray(x)
    except (ValueError, TypeError, NotImplementedError) as error:  # rows of different lengths, symbolic tensors
        raise ValueError(_ragged(name, "a list of rows with different lengths")) from error
    if array.dtype == object:
        values = array.reshape(-1)
        wrong = next((value for value in values if not isinstance(value, int | np.integer)), values[0])
        raise ValueError(f"{name} contains {str(wrong)[:40]} ({type(wrong).__name__}); expected whole numbers, the ids "
                         "of tokens: pass the result of tokenizer(texts)")
    return array


def _leaf(x):
    """The first value in nested lists, or an empty list."""
    while isinstance(x, list | tuple) and len(x):
        x = x[0]
    return x


def _as_ids(name: str, x: np.ndarray) -> np.ndarray:
    """Numbers of any type as int32; raises ValueError if that would change one of them."""
    if x.dtype == bool and name in MASKS:
        return x.astype(np.int32)
    numbers = np.issubdtype(x.dtype, np.integer) or x.dtype.name in ("float16", "float32", "float64", "bfloat16")
    if not numbers:
        raise ValueError(f"{name} has the dtype {x.dtype}; expected int32, the ids of tokens: convert it")
    values = x if np.issubdtype(x.dtype, np.integer) else x.astype(np.float64)
    wrong = ~((values >= _INT32.min) & (values <= _INT32.max))  # also NaN
    if values is not x:
        wrong |= values != np.floor(values)
    if name in MASKS:
        wrong |= values < 0
    if wrong.any():
        expected = "1 for real tokens and 0 for padding: a mask to be added to scores is (mask == 0)" if name in MASKS \
            else "whole numbers below 2,147,483,648: pass the result of tokenizer(texts)"
        raise ValueError(f"{name} contains {x[wrong].reshape(-1)[0]}; expected {expected}")
    return x.astype(np.int32)


def _check_shapes(batch: dict) -> None:
    """Raises ValueError for ids that are not `[B,T]` or `[B,K,T]`, and for other inputs that do not match them."""
    for side in ("", "decoder_"):
        ids, embeddings = batch.get(f"{side}input_ids"), batch.get(f"{side}inputs_embeds")
        if ids is None and embeddings is None:
            continue
        shape = _shape(ids if embeddings is None else embeddings)
        if shape is None:
            continue
        shape = shape if embeddings is None else shape[:-1]
        name = f"{side}input_ids" if embeddings is None else f"{side}inputs_embeds"
        if len(shape) not in (2, 3):
            advice = ": for one text pass [ids]; a dataset needs .batch(SIZE)" if len(shape) == 1 else ": reshape it"
            raise ValueError(f"{name} has the shape {_text(shape)}; expected [batch, length]{advice}")
        if 0 in shape:
            raise ValueError(f"{name} is empty, it has the shape {_text(shape)}; expected at least one row and one "
                             "token: pass the result of tokenizer(texts)")
        for other in (f"{side}attention_mask", *(() if side else BESIDE_IDS)):
            found = _shape(batch.get(other))
            square = (*shape, shape[-1])
            if found is not None and not _fits(found, shape) and not (other in MASKS and _fits(found, square)):
                raise ValueError(f"{other} has the shape {_text(found)}, but {name} {_text(shape)}; expected the same "
                                 f"shape{f' or {_text(square)}' if other in MASKS else ''}: pass the result of "
                                 "tokenizer(texts)")


def _shape(x) -> tuple | None:
    """The static shape; None if not even the rank is known."""
    shape = getattr(x, "shape", None)
    if shape is None or getattr(shape, "rank", 0) is None:
        return None
    return tuple(shape)


def _fits(found: tuple, expected: tuple) -> bool:
    """Returns True if the shapes can be equal; one row serves for all."""
    return len(found) == len(expected) and all(
        None in (a, b) or a == b or (axis == 0 and a == 1) for axis, (a, b) in enumerate(zip(found, expected)))


def _text(shape: tuple) -> str:
    return f"[{', '.join(map(str, shape))}]"


def _texts(name: str, *example) -> str:
    found = "" if not example else f", such as {str(example[0])[:40]!r}"
    return f"{name} contains texts{found}; expected token ids: texts are tokenized first, model(tokenizer(texts))"


def _ragged(name: str, found: str) -> str:
    return (f"{name} is {found}; expected rows of one length: pad them, with an attention_mask that is 0 for the "
            "padding, as tokenizer(texts) does")
