"""The model of a pre-training run: its configuration, adapted to objective and tokenizer, and the model itself."""

import dataclasses

import keras

from tfplm.core.config import Config
from tfplm.families import registry
from tfplm.layers.precision import training_dtype
from tfplm.models.pretrained.api import from_config, from_pretrained
from tfplm.models.pretrained.source import open_source
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.objectives.catalogue import TaskPlan, default_preset, kinds_of, saved_classes, saved_head


def base_config(options: PretrainOptions, plans: list[TaskPlan]) -> Config:
    """The architecture before the vocabulary is known: from --init, --preset, --model-type or the objective."""
    if options.init:
        return open_source(options.init).config_for(saved_head(plans)).replace(**options.overrides())
    if options.preset or not options.model_type:
        config = registry.preset(options.preset or default_preset(plans))
    else:
        config = Config.from_dict(registry.family(options.model_type).base)
    kinds = kinds_of(plans)
    if len(kinds) == 1:
        config = kinds[0].suited(config)
    return config.replace(**options.overrides())


def with_labels(config: Config, plans: list[TaskPlan], of_corpus: tuple[str, ...]) -> Config:
    """The configuration with `id2label` if the saved head classifies. of_corpus: the classes of a labelled corpus."""
    names = saved_classes(plans, of_corpus)
    return config if names is None else config.replace(id2label=dict(enumerate(names)))


def saved_labels(config: Config, plans: list[TaskPlan]) -> int | None:
    """The number of outputs of the saved head: labels, or relations between two sentences; None for other heads."""
    if saved_head(plans) == "pretraining":  # the objective with the fewest classes uses the saved head
        return min(kind.classes for plan in plans for kind in plan.kinds if kind.head == "pretraining")
    return len(config.id2label or ()) or None


def make_model(config: Config, plans: list[TaskPlan], options: PretrainOptions) -> keras.Model:
    """The model with the head that is saved: newly initialized, or with the weights of --init."""
    head, labels, dtype = saved_head(plans), saved_labels(config, plans), training_dtype(options.dtype)
    if not options.init:
        return from_config(config, head, num_labels=labels, dtype=dtype)
    before = open_source(options.init).config_for(head)
    changes = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)
               if getattr(config, field.name) != getattr(before, field.name)}
    return from_pretrained(options.init, head, num_labels=labels, dtype=dtype, **changes)
