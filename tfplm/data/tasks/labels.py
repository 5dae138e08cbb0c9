"""The labels of a task and their ids."""

from collections.abc import Iterable, Sequence

from tfplm.core.suggest import did_you_mean


class LabelMap:
    """A mapping between labels and ids, such as `LabelMap.learn(["neg", "pos", "neg"])`.

    Attributes: `names`, a tuple; `ids`, a dict. A model's configuration stores them as `id2label`.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self.ids = {name: index for index, name in enumerate(self.names)}
        if len(self.ids) != len(self.names):
            raise ValueError(f"labels occur twice: {', '.join(sorted({n for n in names if names.count(n) > 1}))}; "
                             "each label needs one id")

    @classmethod
    def learn(cls, labels: Iterable[str], known: "LabelMap | None" = None) -> "LabelMap":
        """Collects all labels that occur.

        `known` labels keep their ids, and new ones follow: `O` (the outside tag) first, then numbers by value, then
        others in alphabetical order. Raises ValueError if there is no label.
        """
        names = list(known.names) if known else []
        new = set(labels) - set(names)
        if not names and not new:
            raise ValueError("there is no label to learn: are there examples, and do they have labels?")
        return cls(names + sorted(new, key=_order))

    def id(self, label: str, origin: str = "", unknown: int | None = None) -> int:
        """The id of a label; for an unknown label `unknown`, or, if that is None, a ValueError with its `origin`."""
        if label not in self.ids:
            if unknown is not None:
                return unknown
            raise ValueError(f"{origin or 'an example'}: label {label!r} is unknown; the model knows "
                             f"{', '.join(self.names[:20])}{' ...' if len(self.names) > 20 else ''}"
                             f"{did_you_mean(label, self.names)}")
        return self.ids[label]

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"LabelMap({list(self.names)})"


def _order(label: str) -> tuple:
    try:
        return 1, float(label), label
    except ValueError:
        return (0 if label == "O" else 2), 0.0, label
