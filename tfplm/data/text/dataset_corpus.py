"""Texts of a `tensorflow-datasets` data set."""

from collections.abc import Iterator


def dataset_texts(name: str, field: str | None = None) -> Iterator[str]:
    """Texts of `NAME[:SPLIT]` (default split `train`), from the given field or from all text fields of each example.

    Raises ValueError for an unknown data set or field; the message lists the fields that exist.
    """
    import tensorflow_datasets as tfds

    name, _, split = name.partition(":")
    try:
        dataset, info = tfds.load(name, split=split or "train", with_info=True, shuffle_files=False)
    except (tfds.core.DatasetNotFoundError, ValueError) as error:
        raise ValueError(f"tfds:{name}: {str(error).strip().splitlines()[0]}") from None
    fields = [key for key, feature in info.features.items() if isinstance(feature, tfds.features.Text)]
    if field and field not in fields:
        raise ValueError(f"tfds:{name}: no text field {field!r}; there are {', '.join(fields) or 'none'}")
    if not fields:
        raise ValueError(f"tfds:{name}: no text field; its fields are {', '.join(info.features)}")
    for example in tfds.as_numpy(dataset):
        for key in [field] if field else fields:
            yield example[key].decode("utf-8")
