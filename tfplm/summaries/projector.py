"""Files for TensorBoard's embedding projector."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from tfplm.core.files import write_text

CONFIG = "projector_config.pbtxt"  # the name that TensorBoard looks for in a run's folder


@dataclasses.dataclass(frozen=True)
class Embedding:
    """Points of the projector: `vectors` float `[N, H]` with one label each, or several columns of labels by name."""

    vectors: object
    labels: Sequence | Mapping[str, Sequence] | None = None


def _cell(label) -> str:
    """A label as a cell of a TSV file, which has no quoting: tabs and line ends are escaped."""
    text = str(label).replace("\\", "\\\\") if any(c in str(label) for c in "\t\n\r") else str(label)
    text = text.replace("\t", "\\t").replace("\r", "\\r").replace("\n", "\\n")
    return text if text.strip() else "␣" * max(1, len(text))  # the projector skips blank lines


def _metadata(labels) -> str:
    columns = dict(labels) if isinstance(labels, Mapping) else {"label": labels}
    rows = zip(*columns.values(), strict=True)
    lines = ["\t".join(map(_cell, row)) for row in rows]
    if len(columns) > 1:  # with one column, the projector would read a header as a label
        lines.insert(0, "\t".join(map(_cell, columns)))
    return "\n".join(lines) + "\n"


def _checked(name: str, embedding: Embedding) -> np.ndarray:
    vectors = np.asarray(embedding.vectors, dtype=np.float32)
    if vectors.ndim != 2 or not vectors.size:
        raise ValueError(f"embedding {name}: the vectors have the shape {vectors.shape}; expected [N, H], not empty")
    columns = embedding.labels if isinstance(embedding.labels, Mapping) else {"labels": embedding.labels}
    for column, labels in columns.items():
        if labels is not None and len(labels) != len(vectors):
            raise ValueError(f"embedding {name}: {len(labels)} {column} for {len(vectors)} vectors; "
                             "expected one for each")
    return vectors


def _read_config(path: Path) -> ProjectorConfig:
    config = ProjectorConfig()
    if path.exists():
        text_format.Parse(path.read_text(encoding="utf-8"), config)
    return config


def write_projector(folder, embeddings: Mapping[str, Embedding]) -> Path:
    """Writes embeddings where the projector page of `tensorboard --logdir FOLDER` (or its parent) finds them.

    Args:
        folder: a run's folder, such as the one of a summary writer.
        embeddings: name -> `Embedding`; existing ones with other names are kept.

    Each embedding becomes `projector/NAME/vectors.tsv` and `projector/NAME/metadata.tsv`, with paths relative to
    `projector_config.pbtxt`, so that the folder may be moved. Returns the path of that file. Tabs and line ends in
    labels are written as `\\t` and `\\n`. The page is slow with more than about 10,000 points: select points first.

    Raises ValueError if the vectors are not a matrix, or if the numbers of labels and vectors differ.
    """
    folder = Path(folder)
    config = _read_config(folder / CONFIG)
    kept = [info for info in config.embeddings if info.tensor_name not in embeddings]
    del config.embeddings[:]
    config.embeddings.extend(kept)
    for name, embedding in embeddings.items():
        vectors = _checked(name, embedding)
        subfolder = Path("projector", "".join(c if c.isalnum() or c in "-_." else "_" for c in name))
        lines = ("\t".join(f"{number:.6g}" for number in vector) for vector in vectors.tolist())
        write_text(folder / subfolder / "vectors.tsv", "\n".join(lines) + "\n")
        info = config.embeddings.add(tensor_name=name, tensor_path=(subfolder / "vectors.tsv").as_posix(),
                                     tensor_shape=vectors.shape)
        if embedding.labels is not None:
            write_text(folder / subfolder / "metadata.tsv", _metadata(embedding.labels))
            info.metadata_path = (subfolder / "metadata.tsv").as_posix()
    write_text(folder / CONFIG, text_format.MessageToString(config))
    _make_run(folder, sorted(embeddings))
    return folder / CONFIG


def _make_run(folder: Path, names: list[str]) -> None:
    """Writes an event file if there is none: TensorBoard finds the projector's files only in folders with event files.
    """
    if not any(folder.glob("events.out.tfevents.*")):
        with tf.summary.create_file_writer(str(folder)).as_default() as writer:
            tf.summary.text("projector", "embeddings: " + ", ".join(names), step=0)
            writer.close()
