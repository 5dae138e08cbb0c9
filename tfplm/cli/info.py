"""`tfplm info`: versions, processor, devices, and the choices that follow from them."""

import importlib.metadata
import os
import platform

from tfplm import __version__
from tfplm.core.machine.measurements import cache_folder
from tfplm.core.machine.processor import processor
from tfplm.core.terminal.results import Results
from tfplm.options.base import verb
from tfplm.options.info import InfoOptions

PACKAGES = ("tensorflow", "keras", "numpy", "tokenizers", "sentencepiece", "tensorboard")
OPTIONAL = ("onnxruntime", "openvino", "ai-edge-litert", "tensorflow-text", "ctranslate2", "faiss-cpu", "pymilvus", "pyzmq",
            "fastapi", "pyarrow", "jieba", "scikit-learn", "huggingface_hub", "argcomplete")
VARIABLES = ("TFPLM_CACHE", "TFPLM_DATA", "TFPLM_DTYPE", "TFPLM_FLOAT32", "TF_", "OMP_", "KMP_", "CUDA_VISIBLE_DEVICES",
             "XLA_FLAGS", "TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE")


@verb(InfoOptions)
def info(options: InfoOptions) -> dict:
    """Shows what is known of this machine, and returns it."""
    with Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text) as results:
        row = {"tfplm": __version__, "python": platform.python_version(), "platform": platform.platform(),
               "packages": _versions(PACKAGES), "optional packages": _versions(OPTIONAL), "processor": _processor(),
               "gpus": _gpus(), "choices": _choices(options.measure), "cache": _cache(),
               "variables": {name: value for name, value in sorted(os.environ.items()) if name.startswith(VARIABLES)}}
        results.show(row)
    return row


def _versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    def version(name: str) -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {name: version(name) for name in packages}


def _processor() -> dict:
    import tensorflow as tf

    this = processor()
    return {"name": this.name, "architecture": this.architecture, "cores": this.cores,
            "threads": tf.config.threading.get_intra_op_parallelism_threads() or this.cores,
            "features": this.shown_features, "bfloat16 units": this.has_bfloat16}


def _gpus() -> list[dict]:
    import tensorflow as tf

    found = []
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ()))) or None
        found.append({"device": gpu.name, "name": details.get("device_name"), "compute capability": capability})
    return found


def _choices(measure: bool) -> dict[str, dict]:
    """What is chosen, and why."""
    from tfplm.layers.kernels import tuning
    from tfplm.layers.precision import choice

    if measure:
        tuning.forget()
    library, reason = tuning.float32_library(), tuning.reason_of_library()
    found = {"float32 products": {"chosen": library, "because": reason}}
    for kind, name in (("forward", "dtype auto, inference"), ("step", "dtype auto, training")):
        made = choice(kind)
        found[name] = {"chosen": made.dtype, "because": made.reason}
    return found


def _cache() -> str | None:
    folder = cache_folder()
    return None if folder is None else str(folder)


def _as_text(row: dict) -> str:
    """Aligned lines under headings."""
    this = row["processor"]
    units = {True: "yes", False: "no", None: "unknown"}[this["bfloat16 units"]]
    lines = [("tfplm", f"{row['tfplm']}, Python {row['python']}, {row['platform']}"),
             ("packages", _listed(row["packages"])), ("optional", _listed(row["optional packages"])),
             ("processor", f"{this['name']}, {this['architecture']}, {this['cores']} cores, {this['threads']} threads"),
             ("features", " ".join(this["features"]) or "unknown"), ("bfloat16 units", units)]
    lines += [("GPU", ", ".join(str(value) for value in gpu.values() if value)) for gpu in row["gpus"]] or [("GPU", "none")]
    lines += [(name, f"{made['chosen']}: {made['because']}") for name, made in row["choices"].items()]
    lines += [("kept in", row["cache"] or "no folder (TFPLM_CACHE)"),
              ("variables", _listed(row["variables"], "=") or "none")]
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(f"{name:{width}s}{text}" for name, text in lines)


def _listed(values: dict, between: str = " ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items() if value is not None)
