"""`tf.summary` utilities for any Keras model.

The functions write to the current default writer (`with create_writer(folder).as_default(step): ...`);
`SummaryCallback` calls them from `fit`.
"""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Embedding": ".projector",
    "EventFiles": ".read",
    "Every": ".callback",
    "Look": ".callback",
    "Probe": ".probe",
    "ProfileCallback": ".profile",
    "SummaryCallback": ".callback",
    "attention_images": ".attention",
    "confusion_image": ".evaluation",
    "create_writer": ".writers",
    "function_graph": ".graph",
    "histogram": ".histograms",
    "input_images": ".images",
    "layer_graph": ".graph",
    "layer_paths": ".names",
    "mask_image": ".attention",
    "nn_layer": ".variables",
    "precision_recall_image": ".evaluation",
    "text_samples": ".text",
    "variable_paths": ".names",
    "variable_summaries": ".variables",
    "write_confusion": ".evaluation",
    "write_hparams": ".hparams",
    "write_precision_recall": ".evaluation",
    "write_projector": ".projector",
    "writes_summaries": ".writers",
})
