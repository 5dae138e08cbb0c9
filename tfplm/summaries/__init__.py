"""`tf.summary` utilities that any Keras model can use.

Plain functions write to the current default writer (`with create_writer(folder).as_default(step): ...`);
`SummaryCallback` calls them from `fit`.
"""

import importlib

_PUBLIC = {
    "Embedding": "projector",
    "EventFiles": "read",
    "Every": "callback",
    "Look": "callback",
    "Probe": "probe",
    "ProfileCallback": "profile",
    "SummaryCallback": "callback",
    "attention_images": "attention",
    "confusion_image": "evaluation",
    "create_writer": "writers",
    "function_graph": "graph",
    "histogram": "histograms",
    "input_images": "images",
    "layer_graph": "graph",
    "layer_paths": "names",
    "mask_image": "attention",
    "precision_recall_image": "evaluation",
    "text_samples": "text",
    "variable_paths": "names",
    "variable_summaries": "variables",
    "write_confusion": "evaluation",
    "write_hparams": "hparams",
    "write_precision_recall": "evaluation",
    "write_projector": "projector",
    "writes_summaries": "writers",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(importlib.import_module(f"{__name__}.{_PUBLIC[name]}"), name)
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
