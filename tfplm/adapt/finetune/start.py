"""The start of a fine-tuning: tokenizer, lengths and architecture are determined once; then task and model are made."""

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
from tfplm.layers.precision import training_dtype
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
    """The settings that `make_task` and `make_model` share.

    Attributes:
        options: the options; `max_length` and `max_target_length` are limited to the positions that the model has.
        tokenizer: the tokenizer, with GPT's tokens if `options.gpt_inputs`.
        config: the architecture, adapted to options and tokenizer.
        source: the unchanged architecture of --init; None for newly initialized weights.
        labels: the labels that are known before the training examples are read, or None.
        grows: True if --init was fine-tuned on the same task, so that its head is kept and learns new labels.
    """

    options: FinetuneOptions
    tokenizer: Tokenizer
    config: Config
    source: Config | None = None
    labels: LabelMap | None = None
    grows: bool = False

    @classmethod
    def of(cls, options: FinetuneOptions, tokenizer: Tokenizer, labels: LabelMap | None = None) -> "Start":
        """labels: the known labels (default: those of --init, if it was fine-tuned on the same task).

        Raises ValueError if the tokenizer has more tokens than the model, or the model has too few positions.
        """
        source = source_config(options.init) if options.init else None
        config = (source or registry.preset(options.preset)).replace(**options.overrides())
        if options.init or options.max_position_embeddings:  # else the model gets max_length positions
            options = dataclasses.replace(options, **{name: config.row_limit(getattr(options, name))
                                                      for name in ("max_length", "max_target_length")})
        if gpt_frame(tokenizer) is not None and options.init:
            config = config.replace(vocab_size=max(config.vocab_size, len(tokenizer)))
        config = fit_tokenizer(config, tokenizer, options)
        before = open_task(options.init, tokenizer) if options.init and has_task(options.init) else None
        known = before.labels if before is not None and before.name == options.task else None
        return cls(options, tokenizer, config, source, labels or known, known is not None and bool(source.id2label))


def open_start(options: FinetuneOptions, texts: Iterable[str], folder: Path) -> Start:
    """The `Start` of `tfplm finetune`; `texts` and `folder` as in `open_tokenizer`."""
    tokenizer = open_tokenizer(options, texts, folder)
    if options.gpt_inputs:
        add_gpt_tokens(tokenizer)
    return Start.of(options, tokenizer)


def open_tokenizer(options: FinetuneOptions, texts, folder: Path) -> Tokenizer:
    """The tokenizer of --tokenizer or --init, else one learned from `texts`, which is saved in `folder`.

    Raises ValueError if neither --init nor --preset is given, or both.
    """
    if bool(options.init) == bool(options.preset):
        found = "both --init and --preset were" if options.init else "neither --init nor --preset was"
        raise ValueError(f"{found} given; expected one of them: use --init MODEL for a pre-trained model, or --preset "
                         "NAME for newly initialized weights")
    if options.tokenizer or options.init:
        return Tokenizer.from_pretrained(options.tokenizer or options.init)
    family = registry.preset(options.preset).model_type
    return Tokenizer.from_pretrained(learn_once(folder / "vocabulary", texts, family, options.vocabulary,
                                                options.vocab_size or 8000))


def make_task(start: Start) -> Task:
    """The task, which has not learned from the training examples yet."""
    return TASKS[start.options.task](start.tokenizer, settings_of(start.options), start.labels)


def make_model(start: Start, task: Task) -> PretrainedModel:
    """The model with the task's head: with the weights of --init, or newly initialized from --preset."""
    options, config, dtype = start.options, start.config, training_dtype(start.options.dtype)
    other = task.head == "seq2seq_lm" and config.architecture != "seq2seq"
    if start.source is None:
        if other:
            raise ValueError(f"--preset {options.preset} is not an encoder-decoder, which --task {task.name} needs: "
                             "use bart-base or t5-small, or as --init an encoder, which initializes both stacks")
        return from_config(config.replace(**task.config_changes()), task.head, num_labels=task.num_labels,
                           dtype=dtype)
    changes = {**options.overrides(), **task.config_changes()}
    if other:
        return warm_start(options.init, start.tokenizer, dtype=dtype, **changes)
    changes |= {field.name: getattr(config, field.name) for field in dataclasses.fields(Config)
                if field.name != "vocab_size" and getattr(config, field.name) != getattr(start.source, field.name)}
    if start.grows:
        return grown(options.init, task, dtype=dtype, **changes)
    model = from_pretrained(options.init, task.head, num_labels=task.num_labels, dtype=dtype, **changes)
    added = len(start.tokenizer) if gpt_frame(start.tokenizer) is not None else 0
    return resize_token_embeddings(model, added) if added > start.source.vocab_size else model


def grown(source, task: Task, dtype=None, **changes) -> PretrainedModel:
    """The model of `source` with the task's labels: known labels keep their weights, those of others are newly
    initialized.

    Raises ValueError if the task does not have a label of the model.
    """
    wanted = list(task.labels.names)
    old = from_pretrained(source, task.head, dtype=dtype,
                          **{name: value for name, value in changes.items() if name != "id2label"})
    known = [old.config.id2label[index] for index in range(old.num_labels)] if old.config.id2label else []
    if known == wanted:
        return old
    if lost := [name for name in known if name not in wanted]:
        raise ValueError(f"{source} has the labels {', '.join(lost)}, which the task does not have; expected all of "
                         "its labels: start from the model before its fine-tuning, or keep its labels")
    new = from_config(old.config.replace(id2label=dict(enumerate(wanted))), task.head, num_labels=len(wanted),
                      dtype=dtype)
    indices, before = [wanted.index(name) for name in known], named_variables(old)
    for path, variable in named_variables(new).items():
        value = keras.ops.convert_to_numpy(keras.ops.cast(before[path], "float32"))
        if value.shape != tuple(variable.shape):
            resized = np.array(keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32")))
            resized[np.ix_(*(indices if one != other else range(one)
                             for one, other in zip(value.shape, variable.shape)))] = value
            value = resized
        variable.assign(value)
    return new


def warm_start(source, tokenizer, dtype=None, **changes) -> PretrainedModel:
    """A `Seq2Seq` with the head `seq2seq_lm`, initialized from an encoder: both stacks have its embeddings and layers,
    the head that of its masked LM; cross-attention is newly initialized.

    Args:
        source: an encoder (BERT, RoBERTa, ...).
        tokenizer: its tokenizer, for the ids that start and end a text.
        changes: fields of `Config`.

    Raises ValueError for models that are not encoders, and for shared layers.
    """
    source = open_source(source)
    config = source.config_for("masked_lm")
    if config.architecture != "encoder" or config.share != "none":
        raise ValueError(f"{source} has the architecture {config.architecture!r} and share={config.share!r}; expected "
                         "an encoder whose layers share no weights, from which an encoder-decoder can start: use a "
                         "model such as BERT")
    roles = {"decoder_start_token_id": tokenizer.cls_token_id, "eos_token_id": tokenizer.sep_token_id}
    config = config.replace(architecture="seq2seq", pooler=False, **{**roles, **changes})
    model = from_config(config, "seq2seq_lm", dtype=dtype)
    values = named_variables(from_pretrained(source, "masked_lm", dtype=dtype))
    new = []
    for path, variable in named_variables(model).items():
        name = path.replace("decoder_embeddings/", "embeddings/")
        if name.startswith("decoder/"):
            name = "encoder/" + name.removeprefix("decoder/")
        if name in values and values[name].shape == variable.shape:
            variable.assign(values[name])
        else:
            new.append(path)
    log.warning("%s: newly initialized: %s", model.name, ", ".join(new))
    return model
