"""All classes that a `.keras` file can name: importing this module registers them with Keras."""

import tfplm.models.pretrained.api
import tfplm.training.metrics.keras_metrics
import tfplm.training.optimizers.make  # noqa: F401
