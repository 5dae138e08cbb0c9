"""The size and special ids of a vocabulary, as the noise functions need them."""

import dataclasses
import functools

import numpy as np


@dataclasses.dataclass(frozen=True)
class NoiseVocabulary:
    """Size and special ids of a vocabulary; -1 for a token that it does not have.

    `begin` and `end` enclose a sequence ([CLS]/[SEP], <s>/</s>); `separator` separates two segments; `sentinels` are
    T5's <extra_id_0>, <extra_id_1>, ... in order; `specials` are further ids that noise never changes.
    """

    size: int
    pad: int = 0
    mask: int = -1
    begin: int = -1
    end: int = -1
    separator: int = -1
    sentinels: tuple[int, ...] = ()
    specials: tuple[int, ...] = ()

    @functools.cached_property
    def _special_table(self) -> np.ndarray:
        table = np.zeros(self.size, bool)
        ids = (self.pad, self.mask, self.begin, self.end, self.separator, *self.sentinels, *self.specials)
        table[[i for i in ids if i >= 0]] = True
        return table

    def is_special(self, ids: np.ndarray) -> np.ndarray:
        """bool, of the shape of ids. Raises IndexError for an id outside the vocabulary."""
        return self._special_table[ids]

    def need(self, *names: str) -> None:
        """Raises ValueError if one of the named tokens is missing."""
        missing = [name for name in names if getattr(self, name) in (-1, ())]
        if missing:
            raise ValueError(f"this noise needs the special token(s) {', '.join(missing)}, which the vocabulary "
                             "lacks; add them to the tokenizer, or choose another objective")

    def to_json(self) -> dict:
        """The fields as a dict; `NoiseVocabulary(**fields)` restores the object."""
        return dataclasses.asdict(self)

    def __post_init__(self):
        object.__setattr__(self, "sentinels", tuple(self.sentinels))  # JSON gives lists
        object.__setattr__(self, "specials", tuple(self.specials))
