"""Options of `tfplm serve`, with the names and defaults of bert-serving-start (bert-as-service, Xiao 2018)."""

import dataclasses
from typing import Any, Literal

from tfplm.families import bert
from tfplm.options.backend import BackendOptions
from tfplm.options.base import Dtype, Options, flag
from tfplm.options.pooling import BERT_SERVICE

# of bert-serving-start, unless the files of the model specify other values
DEFAULTS: dict[str, Any] = {"max_seq_len": 25, "pooling_layer": [-2], "pooling_strategy": "REDUCE_MEAN", "num_labels": 2}
LOOPBACK = ("127.0.0.1", "localhost", "::1", "[::1]")
# --engine NAME -> its module. "auto": the first whose `suits(folder)` is true, otherwise "vectors"
ENGINES = {"rerank": "tfplm.serve.engines.rerank_engine",
           "classify": "tfplm.serve.engines.classify_engine",
           "vectors": "tfplm.serve.engines.sentence_engine"}
HTTP_PORT = 8125  # default of engines that are served by HTTP only


@dataclasses.dataclass(kw_only=True)
class _Vectors(Options):
    """Options of sentence vectors."""

    HEADING = "sentence vectors"

    tuned_model_dir: str | None = flag(None, "folder of fine-tuned weights to use instead of those of the source")
    ckpt_name: str = flag(bert.TF1.checkpoint, "file name of the TF1 checkpoint, if the folder has several")
    config_name: str = flag(bert.TF1.config, "file name of the configuration of a TF1 model")
    graph_tmp_dir: str | None = flag(None, "no effect, as there is no graph file (accepted for compatibility)")
    cased_tokenization: bool = flag(False, "keep upper case and accents (default: from the model's files)")
    pooling_layer: list[int] | None = flag(
        None, "encoder layers to pool, -1 is the last; the vectors of several are concatenated (default: -2, or from "
              "the files of a sentence-transformers model)")
    pooling_strategy: Literal[tuple(BERT_SERVICE)] | None = flag(
        None, "pooling of the token vectors to one vector; NONE: a vector for each token (default: REDUCE_MEAN, or "
              "from the files of a sentence-transformers model)")
    normalize: bool | None = flag(None, "scale vectors to length 1 (default: no, or from the files of a "
                                        "sentence-transformers model)")
    mask_cls_sep: bool = flag(False, "mask [CLS] and [SEP], also in attention")
    no_special_token: bool = flag(False, "do not add [CLS] and [SEP]")
    show_tokens_to_client: bool = flag(False, "send the tokens with the vectors")
    no_position_embeddings: bool = flag(False, "do not use position embeddings")
    fixed_embed_length: bool = flag(False, "with NONE pooling and max_seq_len NONE: pad to the positions of the model")
    num_labels: int | None = flag(None, "number of labels of CLASSIFICATION (default: from the model)")
    fp16: bool = flag(False, "send vectors as float16")

    @property
    def asks_for_vectors(self) -> bool:
        """Returns True if an option of sentence vectors differs from its default."""
        common = {field.name for field in dataclasses.fields(Options)}
        return any(getattr(self, field.name) != field.default for field in dataclasses.fields(_Vectors)
                   if field.name not in common)


@dataclasses.dataclass(kw_only=True)
class _Model(_Vectors, BackendOptions):
    """Options of loading and running any model."""

    HEADING = "model"

    max_seq_len: str | None = flag(
        None, "maximum number of tokens of a sequence, including special ones; NONE: the longest of the batch, within "
              "the positions of the model (default: 25, or from the files of a fine-tuned or sentence-transformers "
              "model)")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`; results are sent "
                                "as float32")
    positive_label: str | None = flag(None, "with --engine rerank: the label of relevant pairs (default: of two "
                                            "labels, the one that the other negates)")
    xla: bool = flag(False, "compile with XLA")
    cpu: bool = flag(False, "use no GPU")
    device_map: list[int] = flag(factory=list, help="indices of the GPUs, which are assigned to the workers in turn")
    gpu_memory_fraction: float = flag(0.5, "no effect, as GPU memory grows as needed (accepted for compatibility)")


@dataclasses.dataclass(kw_only=True)
class ServeOptions(_Model):
    """Serve a model: sentence vectors to bert-serving-client 1.10 (ZeroMQ), and over HTTP with --http-port; or the classes
    of texts, or the relevance of documents, by a model of `tfplm finetune`, over HTTP.

    Stop it by Ctrl-C, SIGTERM or SIGHUP; earlier requests are still answered.
    """

    RUN = "tfplm.serve.command:serve"
    EXAMPLES = ("tfplm serve bert-base-chinese --max-seq-len NONE --http-port 8125",
                "tfplm serve -model_dir chinese_L-12_H-768_A-12 -num_worker=2 -pooling_strategy CLS_TOKEN")
    EXPLAINED = ("source", "engine", "port", "port_out", "http_port", "num_worker", "max_seq_len", "pooling_strategy",
                 "pooling_layer", "host")
    UNUSED = ("seed",)
    ALIASES = {"model_dir": "source", "port_in": "port", "port_data": "port", "port_result": "port_out"}

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    engine: Literal[("auto", *ENGINES)] = flag(
        "auto", "output of the model: vectors of texts; classes of texts (POST /predict); relevance of documents for a "
                "query (POST /rerank); auto: the output for which the model in the folder was trained, but vectors if "
                "one of their options is used")
    host: str = flag("127.0.0.1", "address on which to listen; 0.0.0.0 can be reached from other machines, and nothing "
                                  "is encrypted")
    port: int = flag(5555, "port of requests")
    port_out: int = flag(5556, "port of replies")
    http_port: int | None = flag(None, "also serve HTTP on this port (default: no; for classes and relevance, which "
                                       f"use no ZeroMQ, {HTTP_PORT})")
    http_max_connect: int = flag(10, "number of HTTP requests processed at the same time; ten times as many can wait")
    cors: str = flag("localhost", "web sites whose pages can read from the HTTP server, separated by commas, such as "
                                  "https://example.org; localhost: those of the browser's own machine, at any port; *: all")
    allowed_host: list[str] = flag(factory=list, help="names under which the HTTP server is reached, beside its "
                                                      "addresses, localhost and names without a dot; .example.org: all "
                                                      "names below it; *: any (which lets pages of any site read from it)")
    num_worker: int = flag(1, "number of copies of the model; if more than one, each runs in a separate process")
    max_batch_size: int = flag(256, "maximum number of sequences of a batch")
    priority_batch_size: int = flag(16, "requests of at most this many sequences have priority")
    prefetch_size: int = flag(10, "no effect, as workers fetch work when they are idle (accepted for compatibility)")
    max_request_mb: int = flag(64, "maximum size of a request")
    max_request_sequences: int = flag(1_000_000, "maximum number of sequences of a request")
    max_queue: int = flag(262_144, "number of sequences that can wait; beyond it, clients have to wait before sending")
    max_reply_mb: int = flag(1024, "memory for replies that clients have not read; requests with larger replies are "
                                   "rejected, over HTTP with replies larger than 1/32 of it, as JSON needs more memory")
    heartbeat: float = flag(15.0, "seconds between heartbeats on idle connections; 0: no heartbeats")
    worker_timeout: float | None = flag(600.0, "seconds for a batch, after which its requests are answered with an error "
                                               "and a worker process is restarted (see --num-worker)")
    warm_up: bool = flag(True, "compile for common text lengths before serving the first client")
    drain_seconds: float = flag(30.0, "maximum time for earlier requests when the server is stopped")
    allow_termination: bool | None = flag(None, "allow clients to stop the server (default: only if it listens on "
                                                "localhost)")
    verbose: bool = flag(False, "log every batch")

    def __post_init__(self):
        self.max_seq_len = _max_seq_len(self.max_seq_len)
        if self.engine not in ("auto", *ENGINES):
            raise ValueError(f"engine is {self.engine!r}, expected auto or one of {', '.join(ENGINES)}")
        if self.pooling_strategy is not None and self.pooling_strategy not in BERT_SERVICE:
            raise ValueError(f"pooling_strategy is {self.pooling_strategy!r}, expected one of {', '.join(BERT_SERVICE)}")
        if self.pooling_layer is not None and not self.pooling_layer:
            raise ValueError("pooling_layer is empty, expected one or more layers, -1 for the last")
        for name in ("num_worker", "max_batch_size", "http_max_connect", "max_request_mb", "max_request_sequences",
                     "max_queue", "max_reply_mb", "num_labels"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        for name in ("port", "port_out", "http_port"):
            if (value := getattr(self, name)) is not None and not 0 <= value < 65536:
                raise ValueError(f"{name} is {value}, expected 0 to 65535 (0: any free port)")
        if self.backend != "tensorflow" and self.no_position_embeddings:
            raise ValueError(f"no_position_embeddings changes the weights, which the backend {self.backend} has exported; "
                             "expected the backend tensorflow with it: leave one of them out")
        if self.worker_timeout is not None and self.worker_timeout <= 0:
            raise ValueError(f"worker_timeout is {self.worker_timeout:g}, expected more than 0 seconds")
        if self.allow_termination is None:
            self.allow_termination = self.host in LOOPBACK


def _max_seq_len(value: str | int | None) -> str | int | None:
    if value is None or str(value).upper() == "NONE":
        return value and "NONE"
    if not str(value).isdecimal() or int(value) <= 3:
        raise ValueError(f"max_seq_len is {value!r}, expected NONE or a number above 3")
    return int(value)
