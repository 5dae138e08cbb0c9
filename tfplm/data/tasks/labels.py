"""The labels of a task and their numbers."""

from collections.abc import Iterable, Mapping, Sequence

from tfplm.core.suggest import did_you_mean


class LabelMap:
    """Labels by number and numbers by label: `LabelMap.learn(["neg", "pos", "neg"])`.

    Attributes: `names`, a tuple; `ids`, a dict. A model's configuration holds them as `id2label`.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self.ids = {name: place for place, name in enumerate(self.names)}
        if len(self.ids) != len(self.names):
            raise ValueError(f"labels occur twice: {', '.join(sorted({n for n in names if names.count(n) > 1}))}")

    @classmethod
    def learn(cls, labels: Iterable[str], known: "LabelMap | None" = None) -> "LabelMap":
        """All labels that occur. `known` ones keep their numbers, new ones follow: numbers by value, `O` (the tag of
        nothing) first, others by the alphabet. ValueError where there is none."""
        names = list(known.names) if known else []
        new = set(labels) - set(names)
        if not names and not new:
            raise ValueError("there is no label to learn: are there examples, and have they labels?")
        return cls(names + sorted(new, key=_order))

    @classmethod
    def from_config(cls, config: Mapping) -> "LabelMap | None":
        """The labels that a model's configuration has as `id2label` (JSON: its keys are strings) or as `label2id`;
        None where it has neither. ValueError where a number is missing."""
        if not (config.get("id2label") or config.get("label2id")):
            return None
        names = {int(place): name for place, name in (config.get("id2label") or {}).items()} or {
            int(place): name for name, place in config["label2id"].items()}
        if sorted(names) != list(range(len(names))):
            raise ValueError(f"the labels have the numbers {', '.join(map(str, sorted(names)))}; expected all from 0 to "
                             f"{len(names) - 1}")
        return cls([names[place] for place in range(len(names))])

    def to_config(self) -> dict:
        """`id2label` and `label2id`, as a model's configuration holds them."""
        return {"id2label": {str(place): name for place, name in enumerate(self.names)}, "label2id": dict(self.ids)}

    def id(self, label: str, origin: str = "", unknown: int | None = None) -> int:
        """The number of a label. One that is not known gives `unknown`, or, without that, a ValueError that names the
        place where it was found."""
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
