"""Which model a pre-training trains: its configuration, fitted to objective and tokenizer, and the model itself."""

import dataclasses

import keras

import tfplm.families  # noqa: F401  (registers them)
from tfplm.core.config import Config
from tfplm.families import registry
from tfplm.models.pretrained.api import from_config, from_pretrained, source_config
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.objectives.catalogue import TaskPlan, default_preset, kinds_of, saved_classes, saved_head


def base_config(options: PretrainOptions, plans: list[TaskPlan]) -> Config:
    """The architecture before the vocabulary is known: of --init, --preset, --model-type or the objective."""
    if options.init:
        if options.preset:
            raise ValueError(f"both --init {options.init} and --preset {options.preset} were given: the architecture is "
                             "that of --init; leave one of them out")
        return source_config(options.init).replace(**options.overrides())
    if options.preset or not options.model_type:
        config = registry.preset(options.preset or default_preset(plans))
    else:
        config = Config.from_dict(registry.family(options.model_type).base)
    kinds = kinds_of(plans)
    if len(kinds) == 1:
        config = kinds[0].suited(config)
    return config.replace(**options.overrides())


def with_labels(config: Config, plans: list[TaskPlan], of_corpus: tuple[str, ...]) -> Config:
    """`id2label` where the saved head classifies. of_corpus: the classes of a labelled corpus."""
    names = saved_classes(plans, of_corpus)
    return config if names is None else config.replace(id2label=dict(enumerate(names)))


def make_model(config: Config, plans: list[TaskPlan], options: PretrainOptions) -> keras.Model:
    """The model with the head that is saved: fresh, or with the weights of --init."""
    head, labels = saved_head(plans), len(config.id2label or ()) or None
    if not options.init:
        return from_config(config, head, num_labels=labels, dtype=options.dtype)
    before = source_config(options.init)
    changes = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)
               if getattr(config, field.name) != getattr(before, field.name)}
    return from_pretrained(options.init, head, num_labels=labels, dtype=options.dtype, **changes)
