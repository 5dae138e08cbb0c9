"""What the kinds of a stack's layers have: masks, position schemes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any


class Kinds(Sequence):
    """One thing for each entry of the layer pattern: `kinds[n]` is that of layer n, as the pattern is repeated.

    No list or tuple, because Keras looks into those: it counts weights in them twice that two kinds share, and refuses
    tensors beside other objects.
    """

    def __init__(self, items: Iterable[Any]):
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __getitem__(self, layer: int) -> Any:
        return self._items[layer % len(self._items)]
