"""The JSON of SHOW_CONFIG and SHOW_STATUS, with all keys of bert-as-service 1.10."""

import importlib.metadata
import platform
import sys
from datetime import datetime
from pathlib import Path

from tfplm.options.pooling import BERT_SERVICE
from tfplm.options.serve import DEFAULTS, LOOPBACK, ServeOptions
from tfplm.serve.queue.service import Service
from tfplm.serve.zmq.protocol import VERSION

# the arguments of bert-serving-start that are reported
ARGUMENTS = (
    "ckpt_name", "config_name", "cors", "cpu", "device_map", "do_lower_case", "fixed_embed_length", "fp16",
    "gpu_memory_fraction", "graph_tmp_dir", "http_max_connect", "http_port", "mask_cls_sep", "max_batch_size",
    "max_seq_len", "model_dir", "no_position_embeddings", "no_special_token", "num_labels", "num_worker",
    "pooling_layer", "pooling_strategy", "port", "port_out", "prefetch_size", "priority_batch_size",
    "show_tokens_to_client", "tuned_model_dir", "verbose", "xla",
)


PATHS = ("model_dir", "tuned_model_dir", "graph_tmp_dir")  # of the arguments


class Description:
    """What a server states of itself to a client.

    full_paths: whole paths of folders, as bert-as-service reported them; None: if only this machine reaches the server.
    Otherwise their names alone, since a path tells the names of accounts and projects.
    """

    def __init__(self, service: Service, full_paths: bool | None = None):
        self._service = service
        self._fixed = _describe(service.options, service.started, **service.info.settings)
        if not (service.options.host in LOOPBACK if full_paths is None else full_paths):
            self._fixed |= {name: model_name(self._fixed[name]) for name in PATHS if self._fixed[name]}

    def config(self, client: bytes) -> dict:
        """The answer to SHOW_CONFIG."""
        options = self._service.options
        ports = {name: getattr(options, name) for name in ("port", "port_out", "http_port")}
        return {**_runtime(client, options), **self._fixed, **ports}

    def status(self, client: bytes) -> dict:
        """The answer to SHOW_STATUS."""
        service = self._service
        figures = {"pending_sequences": service.scheduler.pending, "workers_alive": sum(service.workers.alive),
                   "worker_restarts": service.workers.restarts, **dict(service.counters.numbers)}
        return {**self.config(client), "statistic": service.statistics.value(), "tfplm": figures}


def model_name(source: str) -> str:
    """The name of a model's folder, without those above it; a name on the hub is kept."""
    path = Path(source).expanduser()
    return path.resolve().name if path.exists() or path.is_absolute() or len(path.parts) > 2 else str(source)


def _describe(options: ServeOptions, started: datetime, **settings) -> dict:
    """What does not change while the server runs. settings: what the model decided in place of the options."""
    given = {name: default if getattr(options, name) is None else getattr(options, name)
             for name, default in DEFAULTS.items()}
    values = {**vars(options), "do_lower_case": not options.cased_tokenization, "model_dir": str(options.source),
              **given, **settings}
    if values["max_seq_len"] == "NONE":
        values["max_seq_len"] = None
    values["pooling_strategy"] = BERT_SERVICE.get(values["pooling_strategy"], values["pooling_strategy"])
    return {**{name: values[name] for name in ARGUMENTS}, **_versions(), "server_start_time": str(started),
            "tfplm_version": importlib.metadata.version("tfplm"), "host": options.host, "dtype": values["dtype"]}


def _versions() -> dict:
    import zmq

    return {"tensorflow_version": importlib.metadata.version("tensorflow").split("."), "python_version": sys.version,
            "server_version": VERSION, "pyzmq_version": zmq.pyzmq_version(), "zmq_version": zmq.zmq_version(),
            "platform": platform.platform()}


def _runtime(client: bytes, options: ServeOptions) -> dict:
    """What bert-as-service reports of its processes; workers here are threads, or processes behind pipes."""
    workers = options.num_worker
    return {"client": client.decode("ascii", "replace"), "num_process": workers if workers > 1 else 1,
            "ventilator -> worker": [f"worker-{number}" for number in range(workers)], "worker -> sink": "scheduler",
            "ventilator <-> sink": "scheduler", "server_current_time": str(datetime.now()), "device_map": [],
            "num_concurrent_socket": max(8, 2 * workers)}
