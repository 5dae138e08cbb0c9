"""Loading of the model of an encoder."""

from tfplm.embed.encoder.pooling import Pooling, PoolingPlan
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import Source

HEADS = {Pooling.CLASSIFICATION: "sequence_classification", Pooling.REGRESSION: "sequence_classification"}


def load_model(source: Source, plan: PoolingPlan, dtype: str | None, num_labels: int | None, overrides: dict
               ) -> PretrainedModel:
    """The model with the head that the pooling needs; of an encoder-decoder the encoder."""
    if source.layout != "keras" and source.config.architecture == "seq2seq":
        overrides = {"architecture": "encoder", **overrides}
    head = HEADS.get(plan.strategies[0])
    if plan.strategies[0] is Pooling.REGRESSION and num_labels is None:
        num_labels = 1
    return from_pretrained(source, head, num_labels=num_labels, dtype=dtype, **overrides)
