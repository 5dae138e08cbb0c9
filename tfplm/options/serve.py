"""Flags of `tfplm serve`; those of bert-serving-start (bert-as-service, Xiao 2018) have its names and defaults."""

import dataclasses
from typing import Any, Literal

from tfplm.families import bert
from tfplm.options.base import Options, flag
from tfplm.options.pooling import BERT_SERVICE

# bert-serving-start's, where a model does not say otherwise
DEFAULTS: dict[str, Any] = {"max_seq_len": 25, "pooling_layer": [-2], "pooling_strategy": "REDUCE_MEAN", "num_labels": 2}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# --engine NAME -> its module. "auto": the first whose `suits(folder)` is true, else "vectors"
ENGINES = {"rerank": "tfplm.serve.engines.rerank_engine",
           "classify": "tfplm.serve.engines.classify_engine",
           "vectors": "tfplm.serve.engines.sentence_engine"}
HTTP_PORT = 8125  # of engines that HTTP alone can serve, where none is given


@dataclasses.dataclass(kw_only=True)
class _Vectors(Options):
    """How vectors are made of texts."""

    tuned_model_dir: str | None = flag(None, "folder of fine-tuned weights, in place of those of the source")
    ckpt_name: str = flag(bert.TF1.checkpoint, "file name of a TF1 checkpoint, where the folder has several")
    config_name: str = flag(bert.TF1.config, "file name of a TF1 model's configuration")
    graph_tmp_dir: str | None = flag(None, "no effect: there is no graph file (accepted as bert-serving-start's)")
    cased_tokenization: bool = flag(False, "keep capital letters and accents (default: as the model's files say)")
    pooling_layer: list[int] | None = flag(
        None, "encoder layers to pool, -1 is the last; vectors of several are put side by side (default: -2; a model of "
              "sentence-transformers has its own)")
    pooling_strategy: Literal[tuple(BERT_SERVICE)] | None = flag(
        None, "one vector from those of the tokens; NONE: a vector for each token (default: REDUCE_MEAN; a model of "
              "sentence-transformers has its own)")
    normalize: bool | None = flag(None, "vectors of length 1 (default: as a model of sentence-transformers says, else "
                                        "no)")
    mask_cls_sep: bool = flag(False, "mask [CLS] and [SEP], in attention too")
    no_special_token: bool = flag(False, "add no [CLS] and [SEP]")
    show_tokens_to_client: bool = flag(False, "send the tokens with the vectors")
    no_position_embeddings: bool = flag(False, "leave out position embeddings")
    fixed_embed_length: bool = flag(False, "NONE pooling with max_seq_len NONE: pad to the model's positions")
    num_labels: int | None = flag(None, "labels of CLASSIFICATION (default: as many as the model has)")
    fp16: bool = flag(False, "send vectors as float16")

    @property
    def asks_for_vectors(self) -> bool:
        """Whether an option that only vectors have is given."""
        own = {field.name for field in dataclasses.fields(Options)}
        return any(getattr(self, field.name) != field.default for field in dataclasses.fields(_Vectors)
                   if field.name not in own)


@dataclasses.dataclass(kw_only=True)
class _Model(_Vectors):
    """How any model is loaded and computed."""

    max_seq_len: str | None = flag(
        None, "most tokens of a sequence, special ones included; NONE: as many as the longest of the batch has, within "
              "the model's positions (default: 25; a fine-tuned model, or one of sentence-transformers, has its own)")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation; results are sent as float32")
    positive_label: str | None = flag(None, "of --engine rerank: the label of relevant pairs (default: of two, the one "
                                            "that the other denies)")
    xla: bool = flag(False, "compile with XLA")
    cpu: bool = flag(False, "use no GPU")
    device_map: list[int] = flag(factory=list, help="numbers of the GPUs to use, for the workers in turn")
    gpu_memory_fraction: float = flag(0.5, "no effect: GPU memory grows as needed (accepted as bert-serving-start's)")


@dataclasses.dataclass(kw_only=True)
class ServeOptions(_Model):
    """Serve a model: sentence vectors to bert-serving-client 1.10 (ZeroMQ), and over HTTP with --http-port; or the classes
    of texts, or the relevance of documents, by a model of `tfplm finetune`, over HTTP.

    Stop it by Ctrl-C or SIGTERM: what was asked before is answered.
    """

    RUN = "tfplm.serve.command:serve"

    source: str = flag(help="folder of the model and its tokenizer, or a name on the Hugging Face hub", positional=True)
    engine: Literal[("auto", *ENGINES)] = flag(
        "auto", "what the model gives: vectors of texts; classes of texts (POST /predict); the relevance of "
                "documents for a query (POST /rerank); auto: what the folder is made "
                "for, but vectors where an option of theirs is given")
    host: str = flag("127.0.0.1", "address to listen at; 0.0.0.0 is reached from everywhere, and nothing is encrypted")
    port: int = flag(5555, "of requests")
    port_out: int = flag(5556, "of replies")
    http_port: int | None = flag(None, "serve HTTP at this port as well (default: none; without vectors, and so without "
                                       f"ZeroMQ, {HTTP_PORT})")
    http_max_connect: int = flag(10, "HTTP requests worked on together; ten times as many may wait")
    cors: str = flag("*", "web sites whose pages may call the HTTP server, divided by commas")
    num_worker: int = flag(1, "models that work side by side; more than one: each in a process of its own")
    max_batch_size: int = flag(256, "most sequences of a batch")
    priority_batch_size: int = flag(16, "requests of at most so many sequences go first")
    prefetch_size: int = flag(10, "no effect: workers take work when free (accepted as bert-serving-start's)")
    max_request_mb: int = flag(64, "refuse larger requests")
    max_request_sequences: int = flag(1_000_000, "refuse requests of more sequences")
    max_queue: int = flag(262_144, "sequences that may wait; further clients are made to wait before they send")
    max_reply_mb: int = flag(1024, "memory of replies whose clients do not read them; refuse requests of larger ones, and "
                                   "over HTTP of larger ones than a 32nd, as JSON needs so much")
    heartbeat: float = flag(15.0, "seconds between signs of life on idle connections; 0: none")
    worker_timeout: float | None = flag(None, "seconds after which a worker process at one batch is started anew")
    warm_up: bool = flag(True, "compile for the usual lengths of texts before the first client is served")
    drain_seconds: float = flag(30.0, "when stopping, wait so long for what was asked before")
    allow_termination: bool | None = flag(None, "let clients stop the server (default: if it listens to this machine "
                                                "alone)")
    verbose: bool = flag(False, "log every batch")

    def __post_init__(self):
        self.max_seq_len = _max_seq_len(self.max_seq_len)
        if self.engine not in ("auto", *ENGINES):
            raise ValueError(f"engine is {self.engine!r}, expected auto or one of {', '.join(ENGINES)}")
        if self.pooling_strategy is not None and self.pooling_strategy not in BERT_SERVICE:
            raise ValueError(f"pooling_strategy is {self.pooling_strategy!r}, expected one of {', '.join(BERT_SERVICE)}")
        if self.pooling_layer is not None and not self.pooling_layer:
            raise ValueError("pooling_layer has no layer, expected one or several, -1 for the last")
        for name in ("num_worker", "max_batch_size", "http_max_connect", "max_request_mb", "max_request_sequences",
                     "max_queue", "max_reply_mb", "num_labels"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise ValueError(f"{name} is {value}, expected at least 1")
        for name in ("port", "port_out", "http_port"):
            if (value := getattr(self, name)) is not None and not 0 <= value < 65536:
                raise ValueError(f"{name} is {value}, expected 0 to 65535 (0: one that is free)")
        if self.allow_termination is None:
            self.allow_termination = self.host in LOOPBACK


def _max_seq_len(value: str | int | None) -> str | int | None:
    if value is None or str(value).upper() == "NONE":
        return value and "NONE"
    if not str(value).isdecimal() or int(value) <= 3:
        raise ValueError(f"max_seq_len is {value!r}, expected NONE or a number above 3")
    return int(value)
