"""`tfplm pretrain`: from raw text to a pre-trained language model."""

import dataclasses
import math

import keras
import tensorflow as tf

from tfplm.core.config import Config, write_json
from tfplm.core.outputs import command
from tfplm.data.batches.batch_source import dataset_like
from tfplm.data.noise import Masking, PhraseTable
from tfplm.families import registry
from tfplm.models.pretrained.api import save_pretrained
from tfplm.models.pretrained.fitting import fit_tokenizer
from tfplm.models.pretrained.source import open_source
from tfplm.models.pretrained.weights import export
from tfplm.options.base import verb
from tfplm.options.objectives import own_flags
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.architecture import base_config, make_model, with_labels
from tfplm.pretrain.baselines import baselines
from tfplm.pretrain.batches import Batches
from tfplm.pretrain.corpus import Corpus
from tfplm.pretrain.model import Pretraining
from tfplm.pretrain.objectives.catalogue import OBJECTIVES, TaskPlan, kinds_of, parse_objective
from tfplm.pretrain.objectives.objective import Setting
from tfplm.pretrain.objectives.task import make_tasks
from tfplm.pretrain.opening import digests, open_corpus
from tfplm.pretrain.result import PretrainResult, report, split_rates, with_perplexity
from tfplm.pretrain.summaries import summaries
from tfplm.training.loop.callbacks import End, Speed
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, Folder, open_folder
from tfplm.training.optimizers.make import compile_arguments


@verb(PretrainOptions)
def pretrain(options: PretrainOptions) -> PretrainResult:
    """Trains a language model on text or records and saves it with its tokenizer; see `PretrainOptions`.

    When it is started again with the same `output`, it resumes where it was stopped or killed, even in the middle of an
    epoch, and ends with the same weights.

    Raises:
        ValueError: objective, architecture, vocabulary and corpus do not match.
        KeyboardInterrupt: Ctrl-C, after saving.
    """
    _check(options)
    plans = parse_objective(options.objective)
    if options.init:  # opened once: no file of it is read twice
        options = dataclasses.replace(options, init=open_source(options.init))
    config = base_config(options, plans)
    _check_architecture(plans, config)
    with open_folder(options, "pretrain", digests(options)) as folder:
        return _run(options, plans, config, folder)


def _run(options: PretrainOptions, plans: list[TaskPlan], config: Config, folder: Folder) -> PretrainResult:
    keras.utils.set_random_seed(options.seed)
    labelled = next((kind for kind in kinds_of(plans) if kind.packing == "labelled"), None)
    corpus = open_corpus(options, config, folder.data, labelled)
    config = with_labels(fit_tokenizer(config, corpus.tokenizer, options), plans, corpus.classes)
    strategy = strategy_for(options.strategy)
    tasks = make_tasks(plans, _setting(options, config, corpus))
    batches = Batches(corpus, tasks, options, strategy.num_replicas_in_sync)
    held_out = batches.held_out()
    keras.utils.set_random_seed(options.seed)
    with strategy.scope():
        model = Pretraining(make_model(config, plans, options), tasks)
        _check_layout(model.inner)
        model.compile(**compile_arguments(options, options.steps))
        model.optimizer.build(model.trainable_variables)
    if not options.quiet:
        print(f"{options.objective}: {model.inner.name} with {model.inner.count_params():,} parameters, vocabulary "
              f"{config.vocab_size:,}, {len(held_out)} held-out batches; summaries: "
              f"{command('tensorboard', '--logdir', folder.log_dir)}", flush=True)
    speed = _fit(model, batches, held_out, options, folder)
    return _finish(model, batches, held_out, folder, speed, options)


def _check(options: PretrainOptions) -> None:
    for name in ("steps", "max_length", "batch_tokens", "evaluation_batches", "evaluate_every", "save_every"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more: change --{name.replace('_', '-')}")
    if not 0 < options.masked_rate < 1:
        raise ValueError(f"masked_rate is {options.masked_rate}; expected a fraction above 0 and below 1: change "
                         "--masked-rate")
    if not 0 <= options.held_out < 1:
        raise ValueError(f"held_out is {options.held_out}; expected a fraction from 0 to below 1: change --held-out")
    if options.batch_tokens < options.max_length:
        raise ValueError(f"batch_tokens is {options.batch_tokens}; expected at least max_length "
                         f"({options.max_length}), so that a batch has at least one example: increase --batch-tokens")
    if bool(options.text) == bool(options.records):
        raise ValueError("no corpus was given; expected text files or --records FOLDER: add one of them"
                         if not options.text else
                         "both text files and --records were given; expected one of them: omit the other")
    if options.init and options.preset:
        raise ValueError(f"both --init {options.init} and --preset {options.preset} were given, but the architecture "
                         "is that of --init: omit one of them")
    for kind in OBJECTIVES.values():
        kind.check_flags(own_flags(options))


def _check_architecture(plans: list[TaskPlan], config) -> None:
    """Checks the architecture before any work on the corpus is done."""
    for kind in kinds_of(plans):
        kind.check_architecture(config)


def _setting(options: PretrainOptions, config, corpus: Corpus) -> Setting:
    phrases = None
    if options.phrases:
        with open(options.phrases, encoding=options.encoding) as file:
            phrases = PhraseTable.from_texts([line.strip() for line in file if line.strip()], corpus.tokenizer)
    unit = "word" if phrases is not None and options.masking == "token" else options.masking
    return Setting(config, corpus.vocabulary, Masking(unit, options.masked_rate), phrases, own_flags(options),
                   corpus.classes)


def _check_layout(model: keras.Model) -> None:
    """Raises ValueError, before training starts, for a model that could not be saved at the end."""
    export(model, registry.family(model.config.model_type).names, "hf")


def _fit(model: Pretraining, batches: Batches, held_out: list[dict], options: PretrainOptions, folder: Folder) -> Speed:
    epoch_steps = min(options.evaluate_every or math.ceil(options.steps / 10), options.steps)
    resume = Resume(folder.checkpoints, options.save_every, data=batches, extend=folder.extend, steps=options.steps)
    speed, end = Speed(), End(options.steps, epoch_steps, options.minutes, options.quiet)
    callbacks = [resume, end, speed, Progress(options.quiet, steps=options.steps, end=end)]
    if options.summary_every != 0:
        callbacks.append(summaries(folder.log_dir, held_out, batches.corpus.tokenizer, options.summary_every,
                                   options.sample_every or epoch_steps))
    model.fit(batches.dataset(), steps_per_epoch=epoch_steps, epochs=math.ceil(options.steps / epoch_steps), verbose=0,
              shuffle=False, validation_data=_held_out_dataset(held_out), callbacks=callbacks)
    return speed


def _held_out_dataset(held_out: list[dict]):
    if not held_out:
        return None
    return dataset_like(lambda: iter(held_out), held_out[0]).apply(tf.data.experimental.assert_cardinality(len(held_out)))


def _finish(model: Pretraining, batches: Batches, held_out: list[dict], folder: Folder, speed: Speed,
            options: PretrainOptions) -> PretrainResult:
    """Evaluates the trained model and saves it."""
    metrics, trivial = {}, {}
    if held_out:
        metrics = model.evaluate(_held_out_dataset(held_out), return_dict=True, verbose=0)
        metrics.pop("loss")
        metrics, trivial = split_rates({name: float(value) for name, value in metrics.items()},
                                       baselines(batches, held_out), model.parts)
    counts = model.counts()
    result = PretrainResult(
        output=folder.output, model=model.inner, tokenizer=batches.corpus.tokenizer, log_dir=folder.log_dir,
        metrics=with_perplexity(metrics, model.parts), baselines=with_perplexity(trivial, model.parts),
        steps=counts["steps"], tokens=counts["tokens"], tokens_per_second=speed.tokens_per_second,
        padding=1 - counts["tokens"] / max(counts["positions"], 1), parameters=model.inner.count_params())
    if is_chief():
        for name, saved in model.saved_models().items():
            save_pretrained(saved, folder.output / name, result.tokenizer)
        numbers = {field.name: getattr(result, field.name) for field in dataclasses.fields(result)
                   if field.name not in ("output", "model", "tokenizer", "log_dir")}
        write_json(folder.output / RESULTS, numbers)
    if not options.quiet:
        print(report(result))
    return result
