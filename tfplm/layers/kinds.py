"""Sequences of properties of layer kinds, such as masks and position schemes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class Kinds(Sequence):
    """An item for each entry of the layer pattern; `kinds[n]` is the item of layer n, as the pattern is repeated.

    It is not a list or tuple, as Keras searches those: it would count weights that two kinds share twice, and reject
    tensors together with other objects.
    """

    def __init__(self, items: Iterable[Any]):
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __getitem__(self, layer: int) -> Any:
        return self._items[layer % len(self._items)]
