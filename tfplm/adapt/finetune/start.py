"""What a fine-tuning starts from: tokenizer, lengths and architecture, decided once; then the task and the model."""

import dataclasses
import logging
from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np

from tfplm.adapt.finetune.result import has_task, open_task
from tfplm.adapt.tasks.catalogue import TASKS, settings_of
from tfplm.adapt.tasks.encoding import add_gpt_tokens, gpt_frame
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import Config
from tfplm.data.tasks.labels import LabelMap
from tfplm.families import registry
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_config, from_pretrained, source_config
from tfplm.models.pretrained.fitting import fit_tokenizer
from tfplm.models.pretrained.resizing import resize_token_embeddings
from tfplm.models.pretrained.source import open_source
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.finetune import FinetuneOptions
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.train import learn_once

log = logging.getLogger("tfplm")


@dataclasses.dataclass(frozen=True)
class Start:
    """The decisions that `make_task` and `make_model` share.

    Attributes:
        options: of the fine-tuning; `max_length` and `max_target_length` are such as the model has positions for.
        tokenizer: with GPT's tokens, where `options.gpt_inputs` asks for them.
        config: the architecture, fitted to options and tokenizer. source: that of --init as it is; None for fresh weights.
        labels: those that are known before the training examples are read, or None.
        grows: whether --init was fine-tuned on the same task, so that its head is kept and learns new labels.
    """

    options: FinetuneOptions
    tokenizer: Tokenizer
    config: Config
    source: Config | None = None
    labels: LabelMap | None = None
    grows: bool = False

    @classmethod
    def of(cls, options: FinetuneOptions, tokenizer: Tokenizer, labels: LabelMap | None = None) -> "Start":
        """labels: default those of --init, where it was fine-tuned on the same task.

        Raises ValueError where the tokenizer has more tokens than the model, or rows are longer than its positions.
        """
        source = source_config(options.init) if options.init else None
        config = (source or registry.preset(options.preset)).replace(**options.overrides())
        if options.init or options.max_position_embeddings:  # else there will be positions for all of max_length
            options = dataclasses.replace(options, **{name: config.row_limit(getattr(options, name))
                                                      for name in ("max_length", "max_target_length")})
        if gpt_frame(tokenizer) is not None and options.init:
            config = config.replace(vocab_size=max(config.vocab_size, len(tokenizer)))
        config = fit_tokenizer(config, tokenizer, options)
        before = open_task(options.init, tokenizer) if options.init and has_task(options.init) else None
        known = before.labels if before is not None and before.name == options.task else None
        return cls(options, tokenizer, config, source, labels or known, known is not None and bool(source.id2label))


def open_start(options: FinetuneOptions, texts: Iterable[str], folder: Path) -> Start:
    """The start of `tfplm finetune`; `texts` and `folder` as in `open_tokenizer`."""
    tokenizer = open_tokenizer(options, texts, folder)
    if options.gpt_inputs:
        add_gpt_tokens(tokenizer)
    return Start.of(options, tokenizer)


def open_tokenizer(options: FinetuneOptions, texts, folder: Path) -> Tokenizer:
    """That of --tokenizer or --init, else one learned from `texts`, which `folder` keeps.

    Raises ValueError where neither --init nor --preset is given, or both.
    """
    if bool(options.init) == bool(options.preset):
        raise ValueError("give --init MODEL to fine-tune a pre-trained model, or --preset NAME for fresh weights"
                         + ("; both were given" if options.init else ""))
    if options.tokenizer or options.init:
        return Tokenizer.from_pretrained(options.tokenizer or options.init)
    family = registry.preset(options.preset).model_type
    return Tokenizer.from_pretrained(learn_once(folder / "vocabulary", texts, family, options.vocabulary,
                                                options.vocab_size or 8000))


def make_task(start: Start) -> Task:
    """The task, which has yet to learn from the training examples."""
    return TASKS[start.options.task](start.tokenizer, settings_of(start.options), start.labels)


def make_model(start: Start, task: Task) -> PretrainedModel:
    """The model with the task's head: weights of --init, or fresh ones of --preset."""
    options, config = start.options, start.config
    other = task.head == "seq2seq_lm" and config.architecture != "seq2seq"
    if start.source is None:
        if other:
            raise ValueError(f"--task {task.name} needs an encoder-decoder, but --preset {options.preset} is none: take one "
                             "such as bart-base or t5-small, or give an encoder as --init for both stacks")
        return from_config(config.replace(**task.config_changes()), task.head, num_labels=task.num_labels,
                           dtype=options.dtype)
    changes = {**options.overrides(), **task.config_changes()}
    if other:
        return warm_start(options.init, start.tokenizer, dtype=options.dtype, **changes)
    changes |= {field.name: getattr(config, field.name) for field in dataclasses.fields(Config)
                if field.name != "vocab_size" and getattr(config, field.name) != getattr(start.source, field.name)}
    if start.grows:
        return grown(options.init, task, dtype=options.dtype, **changes)
    model = from_pretrained(options.init, task.head, num_labels=task.num_labels, dtype=options.dtype, **changes)
    added = len(start.tokenizer) if gpt_frame(start.tokenizer) is not None else 0
    return resize_token_embeddings(model, added) if added > start.source.vocab_size else model


def grown(source, task: Task, dtype=None, **changes) -> PretrainedModel:
    """The model of `source` with the task's labels: weights of labels that it knew are kept, others are fresh.

    Raises ValueError where the task lacks a label that the model knows.
    """
    wanted = list(task.labels.names)
    old = from_pretrained(source, task.head, dtype=dtype,
                          **{name: value for name, value in changes.items() if name != "id2label"})
    known = [old.config.id2label[place] for place in range(old.num_labels)] if old.config.id2label else []
    if known == wanted:
        return old
    if lost := [name for name in known if name not in wanted]:
        raise ValueError(f"{source} knows the labels {', '.join(lost)}, which the task has not: start from the model "
                         "before its fine-tuning, or keep its labels")
    new = from_config(old.config.replace(id2label=dict(enumerate(wanted))), task.head, num_labels=len(wanted),
                      dtype=dtype)
    places, before = [wanted.index(name) for name in known], named_variables(old)
    for path, variable in named_variables(new).items():
        value = keras.ops.convert_to_numpy(keras.ops.cast(before[path], "float32"))
        if value.shape != tuple(variable.shape):
            fresh = np.array(keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32")))
            fresh[np.ix_(*(places if one != other else range(one)
                           for one, other in zip(value.shape, variable.shape)))] = value
            value = fresh
        variable.assign(value)
    return new


def warm_start(source, tokenizer, dtype=None, **changes) -> PretrainedModel:
    """A `Seq2Seq` with the head `seq2seq_lm`: the encoder's weights in both stacks, its embeddings in both, its masked
    LM head on top; cross-attention is fresh.

    Args:
        source: of an encoder (BERT, RoBERTa, ...). tokenizer: its tokenizer, for the ids that start and end a text.
        changes: fields of `Config`.

    Raises ValueError for models that are no encoders, and for shared layers.
    """
    source = open_source(source)
    config = source.config_for("masked_lm")
    if config.architecture != "encoder" or config.share != "none":
        raise ValueError(f"{source} is a {config.architecture} with share={config.share!r}: an encoder-decoder can be "
                         "warm-started from an encoder whose layers share nothing, such as BERT")
    roles = {"decoder_start_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = config.replace(architecture="seq2seq", pooler=False, **{**roles, **changes})
    model = from_config(config, "seq2seq_lm", dtype=dtype)
    values = named_variables(from_pretrained(source, "masked_lm", dtype=dtype))
    fresh = []
    for path, variable in named_variables(model).items():
        name = path.replace("decoder_embeddings/", "embeddings/")
        if name.startswith("decoder/"):
            name = "encoder/" + name.removeprefix("decoder/")
        if name in values and values[name].shape == variable.shape:
            variable.assign(values[name])
        else:
            fresh.append(path)
    log.warning("%s: freshly initialised: %s", model.name, ", ".join(fresh))
    return model
