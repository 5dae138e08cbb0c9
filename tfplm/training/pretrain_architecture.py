"""Which model a pre-training trains: its configuration, fitted to objective and tokenizer, and the model itself."""

import dataclasses

import keras

import tfplm.models.families  # noqa: F401  (registers them)
from tfplm.core import registry
from tfplm.core.config import Config
from tfplm.data.noise import WORD_TAGS
from tfplm.models.pretrained import from_config, from_pretrained, source_config
from tfplm.options.pretrain import PretrainOptions
from tfplm.training.objectives.catalogue import TaskPlan, saved_head

_ROLES = ("pad_token_id", "bos_token_id", "eos_token_id")


def _default_preset(plans: list[TaskPlan]) -> str:
    names = [name for plan in plans for name, _ in plan.terms]
    if "rtd" in names:
        return "electra-small-discriminator"
    if "span-corruption" in names:
        return "t5-small"
    if {"denoising", "mass"} & set(names):
        return "bart-base"
    return "gpt2" if {"clm", "clm-reverse"} >= set(names) else "bert-base-uncased"


def base_config(options: PretrainOptions, plans: list[TaskPlan]) -> Config:
    """The architecture before the vocabulary is known: of --init, --preset, --model-type or the objective."""
    if options.init:
        if options.preset:
            raise ValueError(f"both --init {options.init} and --preset {options.preset} were given: the architecture is "
                             "that of --init; leave one of them out")
        return source_config(options.init).replace(**options.overrides())
    if options.preset or not options.model_type:
        config = registry.preset(options.preset or _default_preset(plans))
    else:
        config = Config.from_dict(registry.family(options.model_type).base)
    names = {name for plan in plans for name, _ in plan.terms}
    if names == {"clm-reverse"} and config.attention_type == "causal":
        config = config.replace(attention_type="causal_reverse")
    return config.replace(**options.overrides())


def fit_tokenizer(config: Config, tokenizer, options: PretrainOptions) -> Config:
    """The configuration with this tokenizer's vocabulary and special ids, and with positions for `max_length`.

    Raises ValueError where a vocabulary or a number of positions that was asked for is too small.
    """
    size, wanted = len(tokenizer), config.vocab_size if options.init else options.vocab_size
    if wanted is not None and size > wanted:
        whose = f"the model {options.init} has" if options.init else "--vocab-size is"
        raise ValueError(f"the tokenizer has {size:,} tokens, but {whose} {wanted:,}: take the tokenizer that belongs to "
                         "the model" if options.init else f"the tokenizer has {size:,} tokens, but {whose} {wanted:,}: "
                         "leave --vocab-size out, or give at least as many")
    limit = config.position_limit
    if limit is not None and options.max_length > limit:
        if options.init or options.max_position_embeddings:
            raise ValueError(f"max_length is {options.max_length}, but the model has positions for "
                             f"{limit}: make --max-length smaller"
                             + ("" if options.init else " or --max-position-embeddings larger"))
        config = config.replace(max_position_embeddings=config.max_position_embeddings + options.max_length - limit)
    if options.init:
        return config
    return config.replace(vocab_size=max(size, options.vocab_size or 0) if options.tokenizer else size,
                          **_special_ids(config, tokenizer, options))


def _special_ids(config: Config, tokenizer, options: PretrainOptions) -> dict[str, int | None]:
    """The preset's special ids in the words of this tokenizer; roles that the preset has not stay None."""
    known = {role: getattr(tokenizer, role) for role in _ROLES}
    changes = {role: known[role] for role in _ROLES if getattr(config, role) is not None}
    for name in ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"):
        role = next((role for role in _ROLES[::-1] if getattr(config, role) == getattr(config, name)), None)
        if getattr(config, name) is not None and role is not None:
            changes[name] = known[role]
    return {name: value for name, value in changes.items() if getattr(options, name) is None}


def with_labels(config: Config, plans: list[TaskPlan], emoji: tuple[str, ...]) -> Config:
    """`id2label` where the saved head classifies."""
    labels = {"token_classification": WORD_TAGS, "sequence_classification": emoji}.get(saved_head(plans))
    return config if labels is None else config.replace(id2label=dict(enumerate(labels)))


def make_model(config: Config, plans: list[TaskPlan], options: PretrainOptions) -> keras.Model:
    """The model with the head that is saved: fresh, or with the weights of --init."""
    head, labels = saved_head(plans), len(config.id2label or ()) or None
    if not options.init:
        return from_config(config, head, num_labels=labels, dtype=options.dtype)
    before = source_config(options.init)
    changes = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)
               if getattr(config, field.name) != getattr(before, field.name)}
    return from_pretrained(options.init, head, num_labels=labels, dtype=options.dtype, **changes)
