"""The containers in which texts are passed to a sentence encoder."""

from collections.abc import Iterable, Mapping, Set

import numpy as np

_ADVICE = "expected a str, or a list of texts"


def check_container(texts) -> None:
    """Raises TypeError for what is no container of texts, or one whose items have no order or are not the texts."""
    kind = type(texts).__name__
    if isinstance(texts, Mapping):
        raise TypeError(f"the texts are a {kind}, whose items are its keys; {_ADVICE}: pass list(texts.values())")
    if isinstance(texts, Set):
        raise TypeError(f"the texts are a {kind}, which has no order; {_ADVICE}: pass sorted(texts)")
    if hasattr(texts, "columns") and hasattr(texts, "shape"):
        raise TypeError(f"the texts are a {kind} with columns; {_ADVICE}: pass one column")
    if getattr(texts, "ndim", 1) > 1:
        raise TypeError(f"the texts are a {kind} with {texts.ndim} axes; expected one axis: pass one column, or pairs as "
                        "a list of tuples")
    if not isinstance(texts, Iterable | str | bytes):
        raise TypeError(f"the texts are {str(texts)[:40]} ({kind}); {_ADVICE}: convert them")


def many(texts):
    """The texts, which may be any iterable. Raises TypeError for one str, or as `check_container`."""
    if isinstance(texts, str | bytes):
        raise TypeError(f"the texts are one {type(texts).__name__}, {texts[:40]!r}; expected many texts: pass a list")
    check_container(texts)
    return texts


def as_list(texts) -> tuple[list, bool]:
    """(the texts as a list, with strings for bytes and scalar arrays; True if there is only one text, or pair)."""
    check_container(texts)
    if hasattr(texts, "numpy"):  # a tensor of strings
        texts = texts.numpy()
    if isinstance(texts, np.ndarray):
        texts = texts.tolist()  # of a scalar, its value
    if isinstance(texts, str | bytes):
        return [_text(texts, 0)], True
    if isinstance(texts, tuple) and len(texts) == 2 and all(isinstance(text, str | bytes) for text in texts):
        return [tuple(_text(text, 0) for text in texts)], True
    return [text if isinstance(text, str) else _text(text, index) for index, text in enumerate(texts)], False


def _text(item, index: int):
    """Bytes and scalar arrays or tensors as str; other items unchanged."""
    if getattr(item, "shape", None) == () and hasattr(item, "dtype"):
        item = np.asarray(item).item()
    if not isinstance(item, bytes):
        return item
    try:
        return item.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TypeError(f"text {index} is not UTF-8, {item[:40]!r}; expected a str: decode the bytes") from error
