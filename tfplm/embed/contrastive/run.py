"""`tfplm contrastive`: contrastive training of sentence vectors."""

import dataclasses
import hashlib
from pathlib import Path

import keras
import numpy as np

from tfplm.core.config import read_json, write_json
from tfplm.core.outputs import command, fingerprint
from tfplm.data.tasks.examples import TextExample
from tfplm.embed.commands.sts_eval import evaluate, read_pairs
from tfplm.embed.contrastive.data import Group, GroupBatches, read_groups
from tfplm.embed.contrastive.losses import LOSSES
from tfplm.embed.contrastive.model import Contrastive
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.sentence_transformers import read_recipe
from tfplm.embed.encoder.text_ids import TextReader
from tfplm.layers.precision import training_dtype
from tfplm.models.pretrained.source import open_source
from tfplm.options.base import verb
from tfplm.options.contrastive import ContrastiveOptions
from tfplm.summaries import SummaryCallback
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, Folder, open_folder
from tfplm.training.optimizers.make import compile_arguments

BEST = "best.json"


@dataclasses.dataclass(frozen=True)
class ContrastiveResult:
    """The result of a finished training.

    Attributes:
        output: the folder of the encoder.
        encoder: the encoder that was saved there.
        spearman: Spearman correlation x 100 of the saved weights on the dev pairs; None without dev pairs.
        before: that of the initial weights.
        steps: updates of the weights.
    """

    output: Path
    encoder: SentenceEncoder
    spearman: float | None
    before: float | None
    steps: int


@verb(ContrastiveOptions)
def contrastive(options: ContrastiveOptions) -> ContrastiveResult:
    """Trains a model to produce sentence vectors, and saves it as a folder of sentence-transformers.

    When it is started again with the same `output`, it resumes where it was stopped or killed.

    Raises:
        ValueError: the loss cannot use the data, or options contradict each other.
        FileNotFoundError: a file does not exist.
        KeyboardInterrupt: Ctrl-C, after saving.
    """
    if options.dropout is not None and not 0 <= options.dropout < 1:
        raise ValueError(f"dropout is {options.dropout}; expected a rate from 0 to below 1: change --dropout")
    for name in ("epochs", "batch_size", "max_length", "temperature"):
        if (value := getattr(options, name)) <= 0:
            raise ValueError(f"{name} is {value}; expected more than 0: change --{name.replace('_', '-')}")
    if not 0 <= options.repetition <= 1 or (options.repetition and not LOSSES[options.loss].twice):
        raise ValueError(f"repetition is {options.repetition} and the loss {options.loss}; expected a rate from 0 to "
                         "1, and the loss simcse, which pairs a text with itself: change --repetition or --loss")
    if options.batch_size < 2 and options.loss != "cosine" and not options.negatives:
        raise ValueError(f"batch_size is {options.batch_size}; expected 2 or more, as the loss {options.loss} compares the "
                         "examples of a batch: change --batch-size")
    groups = read_groups(options.data, options.loss, negatives=options.negatives, encoding=options.encoding)
    pairs = read_pairs(options.dev, encoding=options.encoding) if options.dev else None
    read = repr((groups, [(pair.text, pair.pair, pair.label) for pair in pairs or ()])).encode("utf-8", "surrogatepass")
    found = {"the data": hashlib.blake2b(read, digest_size=16).hexdigest(), "--init": fingerprint([options.init])}
    with open_folder(options, "contrastive", found) as folder:
        return _run(options, groups, pairs, folder)


def _run(options: ContrastiveOptions, groups: list[Group], pairs: list[TextExample] | None, folder: Folder
         ) -> ContrastiveResult:
    keras.utils.set_random_seed(options.seed)
    strategy = strategy_for(options.strategy)
    with strategy.scope():
        encoder = _open(options)
    batches = GroupBatches(groups, TextReader(encoder.tokenizer, encoder.recipe.max_length, encoder.recipe.lowercase),
                           _divisible(options.batch_size, len(groups), strategy.num_replicas_in_sync), options.seed,
                           encoder.config.pad_token_id or 0, encoder.prompt(None), by_length=options.by_length,
                           repetition=options.repetition)
    with strategy.scope():
        model = Contrastive(encoder.model, encoder.recipe.plan, options.loss, options.temperature)
        model.compile(**compile_arguments(options, batches.steps * options.epochs))
        model.optimizer.build(model.trainable_variables)
    if not options.quiet:
        print(f"{options.loss}: {len(groups):,} examples, {batches.steps:,} steps of {batches.batch_size} per epoch; "
              f"summaries: {command('tensorboard', '--logdir', folder.log_dir)}", flush=True)
    best = KeepBest(encoder, pairs, folder, options)
    _fit(model, batches, best, options, folder)
    return _finish(best, batches.steps * options.epochs, options)


def _open(options: ContrastiveOptions) -> SentenceEncoder:
    """The encoder to train, with its dropout and pooling."""
    source = open_source(options.init)
    known = read_recipe(source.path) if source.path.is_dir() else None
    default = None if known else ["CLS_TOKEN" if LOSSES[options.loss].head else "REDUCE_MEAN"]
    changes = {} if options.dropout is None else {"hidden_dropout_prob": options.dropout,
                                                  "attention_probs_dropout_prob": options.dropout}
    if known and (known.dense or not known.pool_prompt):
        found = "Dense modules" if known.dense else "prompts that are excluded from pooling"
        raise ValueError(f"{source} has {found}, which cannot be trained: use the model itself, or a folder without "
                         "them, as --init")
    return SentenceEncoder.from_pretrained(source, options.pooling or default, max_length=options.max_length,
                                           dtype=training_dtype(options.dtype), **changes)


def _divisible(batch_size: int, groups: int, replicas: int) -> int:
    """The batch size, rounded down to a multiple of the replicas."""
    size = min(batch_size, groups) // replicas * replicas
    if size < 1:
        raise ValueError(f"there are {groups} examples and batch_size is {batch_size}; expected at least one per batch "
                         f"for each of {replicas} devices: add examples, or increase --batch-size")
    return size


def _fit(model: Contrastive, batches: GroupBatches, best: "KeepBest", options: ContrastiveOptions, folder: Folder) -> None:
    resume = Resume(folder.checkpoints, options.save_every, data=batches, extend=folder.extend)
    callbacks = [resume, best, Progress(options.quiet)]
    if options.summary_every != 0:
        callbacks.append(SummaryCallback(folder.log_dir, {"scalars": options.summary_every, "weights": 0}, graph=False))
    model.fit(batches.dataset(), steps_per_epoch=batches.steps, epochs=options.epochs, verbose=0,
              shuffle=False, callbacks=callbacks)


class KeepBest(keras.callbacks.Callback):
    """Evaluates periodically, and saves the encoder when it is the best so far; without pairs, it saves nothing."""

    def __init__(self, encoder: SentenceEncoder, pairs: list[TextExample] | None, folder: Folder,
                 options: ContrastiveOptions):
        super().__init__()
        self.encoder, self.pairs, self.folder, self.quiet = encoder, pairs, folder, options.quiet
        self.every = options.evaluate_every
        resumed = any(folder.checkpoints.glob("ckpt-*.index"))  # else the scores belong to a run that starts again
        self.scores = read_json(folder.output / BEST) if resumed and (folder.output / BEST).is_file() else {}

    def on_train_begin(self, logs=None):
        self.every = self.every or max(1, self.params["steps"] // 8)
        if self.pairs and "before" not in self.scores:
            self.scores = {"before": self._score(), "best": None, "step": 0}
            self._write()
            self._print(f"Spearman before training: {self.scores['before']:.2f}")

    def on_train_batch_end(self, batch, logs=None):
        if self.pairs and ((batch + 1) % self.every == 0 or batch + 1 == self.params["steps"]):
            self._evaluate(logs)

    def _evaluate(self, logs) -> None:
        score = self._score()
        if self.scores["best"] is None or not np.isfinite(self.scores["best"]) or score > self.scores["best"]:
            step = int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))
            self.scores |= {"best": score, "step": step}
            if is_chief():
                self.encoder.save_pretrained(self.folder.output)
            self._write()
        self._print(f"Spearman {score:.2f}, best {self.scores['best']:.2f}")

    def _write(self) -> None:
        if is_chief():
            write_json(self.folder.output / BEST, self.scores)

    def _score(self) -> float:
        return evaluate(self.encoder, self.pairs, show_progress=False)[0]

    def _print(self, text: str) -> None:
        if not self.quiet and is_chief():
            print(text, flush=True)


def _finish(best: KeepBest, steps: int, options: ContrastiveOptions) -> ContrastiveResult:
    output, encoder = best.folder.output, best.encoder
    if is_chief():
        if best.pairs is None:
            encoder.save_pretrained(output)
        encoder = SentenceEncoder.from_pretrained(output, dtype=training_dtype(options.dtype))
    result = ContrastiveResult(output, encoder, best.scores.get("best"), best.scores.get("before"), steps)
    if is_chief():
        write_json(output / RESULTS, {"spearman": result.spearman, "before": result.before, "steps": steps})
    if not options.quiet:
        scores = "" if result.spearman is None else f"; Spearman {result.before:.2f} before, {result.spearman:.2f} now"
        print(f"{output}: {steps:,} steps{scores}")
    return result
