"""The manifest of a search index: its settings and the encoder of its vectors."""

import dataclasses
import enum
import json
import os
import re
import typing
from pathlib import Path
from typing import Any

import numpy as np

from tfplm.core.config import check_value, read_json
from tfplm.core.files import replacing
from tfplm.embed.remote.address import SCHEME
from tfplm.embed.search.index.faiss_kinds import check_known, resolve
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.places import require_local_encoder
from tfplm.embed.search.records.dialect import dialect_of, sqlite_file, sqlite_url, without_password

FILE = "manifest.json"
WHITENING = "whitening.npz"
_PROBES = ["0 a 的", "今天天气真好。", "Where is the library?"]
_STORE = re.compile(r"[A-Za-z0-9_-]{1,40}")
_SAME = 0.05  # maximum relative distance between vectors of the same encoder: bfloat16 changes about 0.01


@dataclasses.dataclass(frozen=True)
class SearchSettings:
    """Settings of a search index.

    kind: "auto", "exact" or a kind of `FaissIndex`; with `milvus`, the kind of its index (auto: Milvus chooses). A class of
        Faiss becomes the kind, and the metric, for which it stands.
    index: `IndexSettings`, most importantly the metric.
    records: None for SQLite in the folder, or the URL of a PostgreSQL or MySQL database (or sqlite:///FILE). A password
        in the URL is not stored.
    table: the name of the tables in the database.
    milvus: the URL of a Milvus server (with its token in the variable MILVUS_TOKEN), or a file of Milvus Lite, such as
        "milvus.db" in the folder; None: Faiss in this process. Such a file admits one process at a time: a writer must
        wait until readers end, and other readers search the records instead.
    memory: the maximum size of the vectors in memory, in bytes; None: half of the machine's memory.
    prompt, query_prompt: prepended to each text and each query (see `SentenceEncoder.encode`).
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
        check_types(type(self), vars(self))
        kind, index = resolve(self.kind, self.index)
        check_known(kind, ("auto", "exact"))
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "index", index)
        if self.records is not None:
            dialect_of(self.records)
        if self.milvus is not None and "://" not in self.milvus and not self.milvus.endswith(".db"):
            raise ValueError(f"milvus is {self.milvus!r}, expected the URL of a server, http://HOST:19530, or a file name "
                             "that ends in .db")


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The content of `manifest.json`. ValueError for values of other types.

    store: the random name that the records and the index files must also have. probes: the encoder's vectors of three
    texts, `[3][H]`. encoder: the arguments of `SentenceEncoder.from_pretrained`, None for another encoder.
    """

    store: str
    settings: SearchSettings
    probes: list[list[float]]
    encoder: dict[str, Any] | None
    whitened: bool = False

    def __post_init__(self):
        check_value("store", self.store, str)
        if not _STORE.fullmatch(self.store):  # it becomes part of the names of files
            raise ValueError(f"store is {self.store!r:.60}, expected up to 40 letters and digits")
        check_value("whitened", self.whitened, bool)
        _check_probes(self.probes)
        check_value("encoder", self.encoder, dict | None)
        if self.encoder is not None:
            check_value("the source of the encoder", self.encoder.get("source"), str)

    @property
    def dimension(self) -> int:
        return len(self.probes[0])

    def records_url(self, folder: Path) -> str:
        """The URL of the records; a relative SQLite file is resolved against the folder, which may be moved."""
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
        """Reads the manifest. Raises FileNotFoundError, NotADirectoryError or ValueError if this is not an index."""
        if not folder.exists():
            raise FileNotFoundError(f"there is no folder {folder}; make an index with `tfplm index FILE --output {folder}`")
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is a file; expected the folder of a search index")
        if not (folder / FILE).is_file():
            names = ", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing"
            raise FileNotFoundError(f"{folder} is not a search index: it has no {FILE}; found {names}. Make one with "
                                    f"`tfplm index FILE --output {folder}`")
        try:
            values = read_json(folder / FILE)
            if values.pop("tfplm_search_index") != 1:
                raise ValueError("it was made by a newer version of tfplm: install that version")
            check_value("settings", settings := values.pop("settings"), dict)
            check_value("index", settings.get("index"), dict)
            check_types(IndexSettings, settings["index"])
            settings["index"] = IndexSettings(**settings["index"])
            return cls(settings=SearchSettings(**settings), **values)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            reason = f"it has no {error}" if isinstance(error, KeyError) else error
            raise ValueError(f"{folder / FILE} cannot be read: {reason}; make the index again, or get the file from a "
                             "copy") from error

    def check(self, encoder, folder: Path) -> None:
        """Raises ValueError if the encoder differs from the one that the index was made with."""
        probes, expected = probe(encoder, self.settings.prompt), np.array(self.probes)
        made = f"{folder} was made with {describe(self.encoder)}"
        if probes.shape != expected.shape:
            raise ValueError(f"{made}, with vectors of {self.dimension} numbers; those of this encoder have "
                             f"{probes.shape[1]}: use the same encoder, or make a new index")
        distance = np.linalg.norm(probes - expected) / max(np.linalg.norm(expected), 1e-12)
        if not distance <= _SAME:  # also NaN
            raise ValueError(f"{made}; the vectors of this encoder differ ({distance:.0%} apart): use the same model, "
                             "pooling, layers and whitening, or make a new index")

    def load_encoder(self, folder: Path, source: str | os.PathLike | None = None):
        """Loads the encoder that the index was made with, from another `source` if given.

        Raises ValueError if the encoder has no source, or if it cannot be read any more, and PermissionError if it would
        have to be downloaded: then `source` must be given.
        """
        if self.encoder is None:
            raise ValueError(f"{folder} was made with an encoder that was not loaded from a folder: pass it as "
                             "`encoder`")
        if source is None:
            require_local_encoder(folder, self.encoder["source"])
        if str(source or self.encoder["source"]).startswith(SCHEME):
            from tfplm.embed.remote.remote_encoder import RemoteEncoder
            return RemoteEncoder(str(source or self.encoder["source"]))
        from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
        from tfplm.embed.encoder.whitening import Whitening
        try:
            encoder = SentenceEncoder.from_pretrained(**{**self.encoder, **({} if source is None else {"source": source})})
        except (OSError, TypeError) as error:  # TypeError: arguments that it does not have
            if source is not None:
                raise
            raise ValueError(f"{folder} was made with {describe(self.encoder)}, which cannot be read: {error}; if it has "
                             "moved, give its new path (--init, or encoder=)") from error
        if self.whitened:
            encoder.whitening = Whitening.load(folder / WHITENING)
        return encoder


def check_types(dataclass: type, values: dict) -> None:
    """ValueError for the value of a field that is not of its type."""
    for name, hint in typing.get_type_hints(dataclass).items():
        if name in values:
            check_value(name, values[name], hint)


def _check_probes(probes) -> None:
    """ValueError for what is not `[3][H]` of finite numbers."""
    try:
        array = np.array(probes, float)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.ndim != 2 or len(array) != len(_PROBES) or not array.shape[1]:
        raise ValueError(f"probes are {probes!r:.60}, expected {len(_PROBES)} lists of as many numbers")
    if not np.isfinite(array).all():
        raise ValueError("probes have numbers that are not finite")


def describe(origin: dict | None) -> str:
    return "an encoder without a source" if origin is None else f"the encoder {origin['source']}"


def probe(encoder, prompt: str | None) -> np.ndarray:
    """float `[3,H]`: an encoder's vectors of three texts. Raises ValueError for more than one vector per text."""
    vectors = np.asarray(encode(encoder, _PROBES, prompt), float)
    if vectors.ndim != 2 or len(vectors) != len(_PROBES):
        raise ValueError(f"the encoder returns an array of shape {vectors.shape} for {len(_PROBES)} texts, expected "
                         "[3,H]: use a pooling other than NONE, which cannot be searched")
    return vectors


def encode(encoder, texts: list[str], prompt: str | None = None) -> np.ndarray:
    """float32 `[N,H]`; an encoder is any object with `encode(texts)`, or `encode(texts, prompt=...)` for a prompt."""
    return np.asarray(encoder.encode(texts, **({} if prompt is None else {"prompt": prompt})), np.float32)


def origin_of(encoder) -> dict | None:
    """The arguments from which an encoder can be restored, as JSON values; a folder becomes an absolute path."""
    origin = getattr(encoder, "origin", None)
    if origin is None:
        return None
    origin = {name: _plain(value) for name, value in origin.items()}
    if Path(origin["source"]).exists():
        origin["source"] = str(Path(origin["source"]).resolve())
    return origin


def write_json(path: Path, values: dict) -> None:
    """Writes JSON to a temporary file, syncs it to disk, and renames it."""
    with replacing(path, sync=True) as temporary:
        temporary.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def _plain(value):
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value
