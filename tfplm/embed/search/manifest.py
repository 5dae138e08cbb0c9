"""What a folder of a search index says about itself: `manifest.json`, and which encoder made its vectors."""

import dataclasses
import enum
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from tfplm.core.files import replacing
from tfplm.embed.search.index.kinds import choose_kind
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.records.dialect import dialect_of, sqlite_file, sqlite_url, without_password

FILE = "manifest.json"
WHITENING = "whitening.npz"
_PROBES = ["0 a 的", "今天天气真好。", "Where is the library?"]
_SAME = 0.05  # relative distance, up to which vectors are those of one encoder: bfloat16 changes about 0.01


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """How an index is made.

    kind: "auto" or a kind of `choose_kind`; with `milvus` the kind of the index there (auto: Milvus chooses).
    index: `IndexSettings`, above all the metric.
    records: None for SQLite in the folder, or the URL of a PostgreSQL or MySQL database (or sqlite:///FILE). table: what
        the tables there are called. A password in the URL is not stored.
    milvus: the URL of a Milvus server (the variable MILVUS_TOKEN holds its token), or the file of an embedded one,
        "milvus.db" in the folder; None: Faiss in this process. Such a file lets in one process at a time: a writer has
        to wait for a reader to end, and other readers compare what is in the records.
    memory: bytes that the vectors may take in memory; None: half of the machine's.
    prompt, query_prompt: written before each text and each query (see `SentenceEncoder.encode`).
    """

    kind: str = "auto"
    index: IndexSettings = IndexSettings()
    records: str | None = None
    table: str = "tfplm"
    milvus: str | None = None
    memory: int | None = None
    prompt: str | None = None
    query_prompt: str | None = None

    def __post_init__(self):
        choose_kind(self.kind, 0, 1)  # its errors
        if self.records is not None:
            dialect_of(self.records)
        if self.milvus is not None and "://" not in self.milvus and not self.milvus.endswith(".db"):
            raise ValueError(f"milvus is {self.milvus!r}, expected the URL of a server, http://HOST:19530, or a file name "
                             "that ends in .db")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """store: the name that the records and the files of vectors must bear as well. probes: the encoder's vectors of
    three texts, `[3][H]`. encoder: the arguments of `SentenceEncoder.from_pretrained`, None where it has none."""

    store: str
    settings: SearchSettings
    probes: list[list[float]]
    encoder: dict[str, Any] | None
    whitened: bool = False

    @property
    def dimension(self) -> int:
        return len(self.probes[0])

    def records_url(self, folder: Path) -> str:
        """A file of SQLite that is given without its whole path lies in the folder, which may be moved."""
        url = self.settings.records or "sqlite:///records.sqlite"
        file = sqlite_file(url)
        return url if file is None else sqlite_url(folder / file)

    def save(self, folder: Path) -> None:
        values = dataclasses.asdict(self)
        if self.settings.records:
            values["settings"]["records"] = without_password(self.settings.records)
        write_json(folder / FILE, {"tfplm_search_index": 1, **values})

    @classmethod
    def load(cls, folder: Path) -> "Manifest":
        """FileNotFoundError, NotADirectoryError or ValueError for what is no folder of an index."""
        if not folder.exists():
            raise FileNotFoundError(f"there is no folder {folder}; make an index with `tfplm index FILE --output {folder}`")
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is a file; expected the folder of a search index")
        if not (folder / FILE).is_file():
            names = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
            raise FileNotFoundError(f"{folder} is no search index: it has no {FILE}; found {names}. Make one with `tfplm "
                                    f"index FILE --output {folder}`")
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if values.pop("tfplm_search_index") != 1:
                raise ValueError("made by a newer version of tfplm: install that")
            settings = {**values.pop("settings")}
            settings["index"] = IndexSettings(**settings["index"])
            return cls(settings=SearchSettings(**settings), **values)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder / FILE} cannot be read: {error}") from error

    def check(self, encoder, folder: Path) -> None:
        """ValueError where the encoder is another than the index was made with."""
        probes, expected = probe(encoder, self.settings.prompt), np.array(self.probes)
        made = f"{folder} was made with {describe(self.encoder)}"
        if probes.shape != expected.shape:
            raise ValueError(f"{made}, vectors of {self.dimension} numbers; this encoder gives {probes.shape[1]}: use the "
                             "same one, or make a new index")
        distance = np.linalg.norm(probes - expected) / max(np.linalg.norm(expected), 1e-12)
        if distance > _SAME:
            raise ValueError(f"{made}; this encoder gives other vectors ({distance:.0%} apart): use the same model, "
                             "pooling, layers and whitening, or make a new index")

    def load_encoder(self, folder: Path, source: str | os.PathLike | None = None):
        """The encoder that the index was made with, from another `source` where it has moved. ValueError where it has no
        source, or is not there any more."""
        if self.encoder is None:
            raise ValueError(f"{folder} was made with an encoder that did not come from a folder: give it as `encoder`")
        from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
        from tfplm.embed.encoder.whitening import Whitening
        try:
            encoder = SentenceEncoder.from_pretrained(**{**self.encoder, **({} if source is None else {"source": source})})
        except OSError as error:
            if source is not None:
                raise
            raise ValueError(f"{folder} was made with {describe(self.encoder)}, which cannot be read: {error}; if it has "
                             "moved, say where it is (--init, or encoder=)") from error
        if self.whitened:
            encoder.whitening = Whitening.load(folder / WHITENING)
        return encoder


def describe(origin: dict | None) -> str:
    return "an encoder without a source" if origin is None else f"the encoder {origin['source']}"


def probe(encoder, prompt: str | None) -> np.ndarray:
    """float `[3,H]`: what an encoder makes of three texts. ValueError for more than a vector a text."""
    vectors = np.asarray(encode(encoder, _PROBES, prompt), float)
    if vectors.ndim != 2 or len(vectors) != len(_PROBES):
        raise ValueError(f"the encoder makes an array of shape {vectors.shape} of {len(_PROBES)} texts, expected [3,H]: "
                         "pooling NONE cannot be searched")
    return vectors


def encode(encoder, texts: list[str], prompt: str | None = None) -> np.ndarray:
    """float32 `[N,H]`; anything with `encode(texts)` is an encoder, with a prompt `encode(texts, prompt=...)`."""
    return np.asarray(encoder.encode(texts, **({} if prompt is None else {"prompt": prompt})), np.float32)


def origin_of(encoder) -> dict | None:
    """The arguments by which an encoder is made again, as JSON holds them; a folder by its whole path."""
    origin = getattr(encoder, "origin", None)
    if origin is None:
        return None
    origin = {name: _plain(value) for name, value in origin.items()}
    if Path(origin["source"]).exists():
        origin["source"] = str(Path(origin["source"]).resolve())
    return origin


def write_json(path: Path, values: dict) -> None:
    """Beside, to the disk, then renamed."""
    with replacing(path, sync=True) as beside:
        beside.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def _plain(value):
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
