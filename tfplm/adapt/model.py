"""The model that a fine-tuning starts from, and its tokenizer."""

import dataclasses
from pathlib import Path

import tfplm.models.families  # noqa: F401  (registers them)
from tfplm.adapt.gpt_inputs import has_gpt_tokens
from tfplm.adapt.growing import grown
from tfplm.adapt.saved_task import has_task, open_task
from tfplm.adapt.tasks.task import Task
from tfplm.adapt.warm_start import warm_start
from tfplm.core import registry
from tfplm.core.config import Config
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained import from_config, from_pretrained, source_config
from tfplm.models.resizing import resize_token_embeddings
from tfplm.options.finetune import FinetuneOptions
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.families import FAMILIES
from tfplm.tokenizers.train import learn_once
from tfplm.training.pretrain_architecture import fit_tokenizer


def open_tokenizer(options: FinetuneOptions, texts, folder: Path) -> Tokenizer:
    """That of --tokenizer or --init, else one learned from `texts`, which `folder` keeps.

    Raises ValueError where neither --init nor --preset says what to train, or both do.
    """
    if bool(options.init) == bool(options.preset):
        raise ValueError("give --init MODEL to fine-tune a pre-trained model, or --preset NAME for fresh weights"
                         + ("; both were given" if options.init else ""))
    if options.tokenizer or options.init:
        return Tokenizer.from_pretrained(options.tokenizer or options.init)
    name = registry.preset(options.preset).model_type
    family = name if name in FAMILIES else "bert"
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

