"""Labelled data sets of `tensorflow-datasets` as tables."""

from typing import Any

from tfplm.core.suggest import did_you_mean
from tfplm.data.tasks.columns import SPLIT_WORDS
from tfplm.data.tasks.reading import Row, Table


def read_dataset(source: str, split: str | None) -> Table:
    """Reads `NAME[:SPLIT]` as a table; classes get their names, and class -1 (GLUE's test sets) becomes None.

    A split in the source may be anything that tensorflow-datasets accepts (`train[:10%]`). Without one, `split` is
    train, dev or test, mapped to the data set's own names (validation; for MNLI the matched one), or None for all
    splits together. Raises ValueError for an unknown data set or split, listing the known ones, and if the library is
    missing.
    """
    try:
        import tensorflow_datasets as tfds
    except ImportError:
        raise ValueError(f"tfds:{source}: tensorflow-datasets is not installed; pip install tensorflow-datasets"
                         ) from None
    name, _, given = source.partition(":")
    try:
        builder = tfds.builder(name)
        if not given:
            given = _split_name(f"tfds:{name}", list(builder.info.splits), split)
        builder.download_and_prepare()
        dataset = builder.as_dataset(split=given, shuffle_files=False)
    except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:
        raise ValueError(f"tfds:{name}: {str(error).strip().splitlines()[0]}") from None
    features = builder.info.features
    rows = [Row(f"tfds:{name}:{given}[{index}]", _plain_dict(features, example))
            for index, example in enumerate(tfds.as_numpy(dataset))]
    if not rows:
        raise ValueError(f"tfds:{name}: split {given!r} is empty; expected rows")
    return Table(f"tfds:{name}:{given}", list(rows[0].values), rows)


def _split_name(name: str, splits: list[str], split: str | None) -> str:
    if split is None:
        return "+".join(splits)
    if split in splits:
        return split
    words = (split, *SPLIT_WORDS.get(split, ()))
    for word in words:
        if fitting := [s for s in splits if s == word] or [s for s in splits if s == f"{word}_matched"]:
            return fitting[0]
    raise ValueError(f"{name}: there is no split {split!r}; there are {', '.join(splits) or 'none'}"
                     f"{did_you_mean(split, splits)}")


def _plain_dict(features: Any, example: dict) -> dict:
    row = {key: _plain(features[key], value) for key, value in example.items()}
    translation = row.pop("translation") if isinstance(row.get("translation"), dict) else {}
    return {**row, **translation}


def _plain(feature: Any, value: Any) -> Any:
    """Converts NumPy values to str, int, float, and lists and dicts of them."""
    inner = getattr(feature, "feature", None)  # of a sequence
    if isinstance(value, dict):
        inside = feature if inner is None else inner
        return {key: _plain(inside[key], part) for key, part in value.items()}
    if getattr(value, "ndim", 0):
        return [_plain(feature if inner is None else inner, part) for part in value]
    names = getattr(feature, "names", None) or getattr(inner, "names", None)
    if names is not None:
        return names[int(value)] if int(value) >= 0 else None
    if isinstance(value, bytes):
        return value.decode("utf-8")
    return value.item() if hasattr(value, "item") else value
