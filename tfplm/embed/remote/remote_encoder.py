"""`RemoteEncoder`, which encodes texts by a running server."""

import json

import numpy as np

from tfplm.embed.remote.address import Address
from tfplm.embed.remote.connection import Connection
from tfplm.options.pooling import BERT_SERVICE

_AT_ONCE = 1024  # texts of a request
_POOLINGS = {number: name for name, number in BERT_SERVICE.items()}


class RemoteEncoder:
    """The encoder of a running server: `tfplm serve MODEL`, or bert-as-service 1.10 itself.

        encoder = RemoteEncoder("tcp://gpu.example.org:5555")
        vectors = encoder.encode(["今天天气真好。"])                  # float32 [1,H]

    Model, pooling and length are the server's; it cuts texts after its `max_seq_len` tokens (`max_length`; None: it does
    not), and divides a text at " ||| " into a pair. It can be the encoder of a `SearchIndex`.

    Args:
        url: `tcp://HOST:PORT`, or `tcp://HOST:PORT?port_out=OTHER` if replies do not come from the next port.
        timeout: the most seconds that a request of up to 1,024 texts may take.

    Attributes:
        config: what the server tells of itself. dimension: H. origin: with which an index finds the server again, and
            the pooling and layers of the model.

    Raises ImportError without pyzmq, ValueError for another URL, ConnectionError if there is no server, or if it ends, and
    TimeoutError if it does not answer; RuntimeError with the server's reason if it cannot encode a text.
    """

    whitening = None

    def __init__(self, url: str, timeout: float = 600.0):
        self.address = Address.of(url)
        self._connection = Connection(self.address, timeout)
        self.config = self._described()
        self.max_length = self.config.get("max_seq_len")
        try:
            self.dimension = self.encode(["0"]).shape[-1]  # a server that answers, but has no worker, is found here
        except BaseException:
            self.close()
            raise

    @property
    def origin(self) -> dict:
        known = {"source": str(self.address), "pooling": _POOLINGS.get(self.config.get("pooling_strategy")),
                 "layers": self.config.get("pooling_layer"), "max_length": self.max_length}
        return {name: value for name, value in known.items() if value is not None}

    def encode(self, texts, *, prompt: str | None = None) -> np.ndarray:
        """The vectors of texts, float32 `[N,H]`, in their order; of one text `[H]`. Of a server that gives a vector for each
        token, `[N,T,H]`. prompt: is put before each text."""
        if isinstance(texts, str):
            return self.encode([texts], prompt=prompt)[0]
        texts = [f"{prompt or ''}{text}" for text in texts]
        parts = [self._encoded(texts[start:start + _AT_ONCE]) for start in range(0, len(texts), _AT_ONCE)]
        if not parts:
            return np.zeros((0, self.dimension), np.float32)
        if parts[0].ndim == 3:  # batches may have different lengths
            longest = max(part.shape[1] for part in parts)
            parts = [np.pad(part, ((0, 0), (0, longest - part.shape[1]), (0, 0))) for part in parts]
        return np.concatenate(parts)

    def close(self) -> None:
        """Closes the connection; a later call opens it again."""
        self._connection.close()

    def __enter__(self) -> "RemoteEncoder":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def _described(self) -> dict:
        try:
            config = json.loads(self._connection.hello())
        except ValueError:
            config = None
        if not isinstance(config, dict):
            self.close()
            raise ConnectionError(f"{self.address} describes itself by what is no JSON, expected a server of "
                                  "bert-as-service: give the port of requests of one")
        return config

    def _encoded(self, texts: list[str]) -> np.ndarray:
        message = json.dumps(texts, ensure_ascii=True).encode()
        frames = self._connection.ask(message, len(texts), f"a request of {len(texts):,} texts")
        try:
            about = json.loads(frames[1])
            reason, kind, shape = about.get("error"), np.dtype(about["dtype"]), about["shape"]
            if kind.kind != "f" or len(frames) != 4:
                raise ValueError(f"an array of {kind}")
            vectors = np.frombuffer(frames[2], kind).reshape(shape)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConnectionError(f"{self.address} sent what is no answer ({error}), expected an array of vectors: use a "
                                  "server of bert-as-service 1.10") from error
        if reason is not None:
            raise RuntimeError(f"{self.address} could not encode {len(texts):,} texts, expected their vectors: {reason}")
        if len(vectors) != len(texts) or vectors.ndim not in (2, 3):
            raise ConnectionError(f"{self.address} sent an array of shape {vectors.shape} for {len(texts):,} texts, "
                                  f"expected [{len(texts)},H]: use a server of bert-as-service 1.10")
        return vectors.astype(np.float32)
