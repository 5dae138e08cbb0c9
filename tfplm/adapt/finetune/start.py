"""The model that a fine-tuning starts from, and its tokenizer."""

import dataclasses
import logging
from pathlib import Path

import keras
import numpy as np

from tfplm.adapt.finetune.result import has_task, open_task
from tfplm.adapt.methods.encoding import has_gpt_tokens
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import Config
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


def open_tokenizer(options: FinetuneOptions, texts, folder: Path) -> Tokenizer:
    """That of --tokenizer or --init, else one learned from `texts`, which `folder` keeps.

    Raises ValueError where neither --init nor --preset says what to train, or both do.
    """
    if bool(options.init) == bool(options.preset):
        raise ValueError("give --init MODEL to fine-tune a pre-trained model, or --preset NAME for fresh weights"
                         + ("; both were given" if options.init else ""))
    if options.tokenizer or options.init:
        return Tokenizer.from_pretrained(options.tokenizer or options.init)
    family = registry.preset(options.preset).model_type
    return Tokenizer.from_pretrained(learn_once(folder / "vocabulary", texts, family, options.vocabulary,
                                                options.vocab_size or 8000))


def make_model(options: FinetuneOptions, task: Task) -> PretrainedModel:
    """The model with the task's head: weights of --init, or fresh ones of --preset."""
    changes = {**options.overrides(), **task.config_changes()}
    if options.preset:
        config = registry.preset(options.preset).replace(**options.overrides())
        if task.head == "seq2seq_lm" and config.architecture != "seq2seq":
            raise ValueError(f"--task {task.name} needs an encoder-decoder, but --preset {options.preset} is none: take one "
                             "such as bart-base or t5-small, or give an encoder as --init, whose weights begin both stacks")
        config = fit_tokenizer(config, task.tokenizer, _longest(options, config) if options.max_position_embeddings
                               else options)
        return from_config(config.replace(**task.config_changes()), task.head, num_labels=task.num_labels,
                           dtype=options.dtype)
    config = source_config(options.init)
    if task.head == "seq2seq_lm" and config.architecture != "seq2seq":
        return warm_start(options.init, task.tokenizer, dtype=options.dtype, **changes)
    added = len(task.tokenizer) if has_gpt_tokens(task.tokenizer) else 0
    fitted = fit_tokenizer(config.replace(**options.overrides(), vocab_size=max(config.vocab_size, added)),
                           task.tokenizer, _longest(options, config))
    changes |= {field.name: getattr(fitted, field.name) for field in dataclasses.fields(Config)
                if field.name != "vocab_size" and getattr(fitted, field.name) != getattr(config, field.name)}
    if has_task(options.init) and config.id2label and open_task(options.init, task.tokenizer).name == task.name:
        return grown(options.init, task, dtype=options.dtype, **changes)
    model = from_pretrained(options.init, task.head, num_labels=task.num_labels, dtype=options.dtype, **changes)
    return resize_token_embeddings(model, added) if added > config.vocab_size else model


def _longest(options: FinetuneOptions, config: Config) -> FinetuneOptions:
    """Options whose max_length the model has positions for; the task's features were cut by the same rule."""
    return dataclasses.replace(options, max_length=config.row_limit(options.max_length))


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


log = logging.getLogger("tfplm")


def warm_start(source, tokenizer, dtype=None, **changes) -> PretrainedModel:
    """A `Seq2Seq` with the head `seq2seq_lm`: the encoder's weights in both stacks, its embeddings in both, its masked
    LM head on top; cross-attention is fresh.

    Args:
        source: of an encoder (BERT, RoBERTa, ...). tokenizer: its tokenizer, for the ids that begin and end a text.
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
