"""One fine-tuning, from examples to the saved model: `train(prepare(...))`."""

import dataclasses
import time

import keras

from tfplm.adapt.finetune.batches import TaskBatches
from tfplm.adapt.finetune.callbacks import BestWeights, Evaluation
from tfplm.adapt.finetune.data import Examples, has_labels
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.finetune.result import FinetuneResult, save_task
from tfplm.adapt.finetune.start import Start, make_model
from tfplm.adapt.finetune.writing import write_predictions
from tfplm.adapt.methods.augmentation import noise_of
from tfplm.adapt.methods.auxiliary_lm import WithLanguageModel
from tfplm.adapt.methods.freezing import GradualUnfreezing, check_amount, set_trained
from tfplm.adapt.methods.frozen_features import FrozenFeatures, collate_states
from tfplm.adapt.methods.replay import Replay, forgetting
from tfplm.adapt.tasks import remarks
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import write_json
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_config, save_pretrained
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.finetune import FinetuneOptions
from tfplm.summaries import Every, SummaryCallback
from tfplm.training.loop.callbacks import End
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, Folder
from tfplm.training.optimizers.make import compile_arguments


class Seconds(keras.callbacks.Callback):
    """Measures `epochs`, the seconds that each epoch took without its evaluation."""

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(time.monotonic() - self._start)


@dataclasses.dataclass
class Prepared:
    """A fine-tuning that is ready to train.

    Attributes:
        model: the model with its head, as it is saved.
        trained: the model that `fit` is called on: `model`, or a `TrainingModel` around it.
        batches: batches of the training examples.
        inference: inference of `model`.
        evaluation: the callback that scores the development set; with --train features, from precomputed features.
        feature_seconds: with --train features, the time to compute the features.
        steps: the number of batches of the whole training.
    """

    start: Start
    task: Task
    folder: Folder
    data: Examples
    replay: Replay | None
    model: PretrainedModel
    trained: keras.Model
    batches: TaskBatches
    inference: Inference
    evaluation: Evaluation
    feature_seconds: float
    steps: int


def prepare(start: Start, task: Task, folder: Folder, data: Examples, replay: Replay | None = None,
            passes: float | None = None) -> Prepared:
    """Computes the features, makes and compiles the model. Raises ValueError if options, data and model disagree.

    passes: over the training data, at most `epochs`, if they are no whole number or as many full batches as in BERT's
    script; default: `epochs`.
    """
    options = start.options
    examples = [*data.train, *(replay.examples if replay else [])]
    features = task.features(examples, labelled=True)
    remarks.training(task, examples, features)
    _require_scores(data.dev, "development")
    data = Examples(data.train, remarks.held_out(task, data.dev, "development"), remarks.held_out(task, data.test, "test"))
    dev_features = task.features(data.dev, labelled=False)
    _require_scores(replay.held_out if replay else [], "earlier task's held-out")
    keras.utils.set_random_seed(options.seed)
    seconds = 0.0
    with strategy_for(options.strategy).scope():
        model = make_model(start, task)
        task.init_head(model.head, features)
        if options.unfreeze_every:
            check_amount(model, "last:1")
        set_trained(model, options.train)
        trained = _around(model, task, options)
        if options.train == "features":
            seconds = _remember(trained, task, [features, dev_features], options.quiet)
    noise = trained.add_states if options.train == "features" else noise_of(options, task.tokenizer, model)
    batches = TaskBatches(task, features, options.batch_size, options.seed, noise)
    inference = Inference(model, task.pads)
    own = Inference(trained, task.pads, collate=collate_states(trained)) if options.train == "features" else inference
    evaluation = Evaluation(task, data.dev, dev_features, own, folder.log_dir, model)
    steps = options.epochs * batches.steps
    if passes is not None:
        steps = min(steps, max(1, int(len(features) / options.batch_size * passes)))
    with trained.distribute_strategy.scope():
        settings = compile_arguments(options, steps, rates={r"(^|/)crf/": options.crf_rate})
        trained.compile(loss=task.loss(model), metrics=task.metrics(), **settings)
        trained.optimizer.build(trained.trainable_variables)
    return Prepared(start, task, folder, data, replay, model, trained, batches, inference, evaluation, seconds, steps)


def _around(model: PretrainedModel, task: Task, options: FinetuneOptions) -> keras.Model:
    if options.train == "features":
        return FrozenFeatures(model, task.pads)
    return WithLanguageModel(model, options.auxiliary_lm) if options.auxiliary_lm else model


def _remember(frozen: FrozenFeatures, task: Task, sets: list[list[dict]], quiet: bool) -> float:
    """Computes the hidden states of all features; returns the seconds that it took."""
    start = time.monotonic()
    for features in sets:
        frozen.remember(features, task.targets)
    seconds = time.monotonic() - start
    if not quiet:
        print(f"features of {sum(map(len, sets)):,} rows: {seconds:.1f} s")
    return seconds


def train(prepared: Prepared) -> FinetuneResult:
    """Trains, scores the best weights, and saves."""
    task, data, folder = prepared.task, prepared.data, prepared.folder
    old = prepared.replay.held_out if prepared.replay else []
    before = scores(prepared, old)[0] if old else {}
    history, seconds = fit(prepared)
    dev, _ = scores(prepared, data.dev) if data.dev else ({}, [])
    test, predictions = scores(prepared, data.test) if data.test else ({}, [])
    forgotten = forgetting(before, scores(prepared, old)[0], task.monitor) if old else {}
    result = FinetuneResult(folder.output, prepared.model, task, folder.log_dir, dev, test, history, seconds,
                            prepared.feature_seconds, forgotten)
    if is_chief():
        save(prepared, result, predictions)
    return result


def fit(prepared: Prepared) -> tuple[dict, list[float]]:
    """Trains; afterwards the model has the best weights. Returns the history and the seconds of each epoch."""
    options, batches, monitor = prepared.start.options, prepared.batches, f"val_{prepared.task.monitor}"
    best, seconds = BestWeights(prepared.folder.checkpoints / "best.npz", monitor, prepared.model), Seconds()
    resume = Resume(prepared.folder.checkpoints, options.save_every, data=batches, extend=prepared.folder.extend)
    scored = [prepared.evaluation, best] if prepared.data.dev else []  # run-classifier may only train
    callbacks = [resume, seconds, *scored, Progress(options.quiet)]
    if prepared.steps < options.epochs * batches.steps:
        callbacks.append(End(prepared.steps, batches.steps))
    if options.unfreeze_every:
        callbacks.insert(0, GradualUnfreezing(options.unfreeze_every, prepared.model))
    if options.patience:
        callbacks.append(keras.callbacks.EarlyStopping(monitor, patience=options.patience, mode="max"))
    if options.summary_every != 0:
        callbacks.append(SummaryCallback(prepared.folder.log_dir, Every(scalars=options.summary_every,
                                                                        weights=batches.steps), graph=False))
    history = prepared.trained.fit(batches.dataset(options.epochs), steps_per_epoch=batches.steps,
                                   epochs=options.epochs, verbose=0, shuffle=False, callbacks=callbacks)
    if options.keep == "best":
        best.restore()
    return {name: [float(value) for value in values] for name, values in history.history.items()}, seconds.epochs


def scores(prepared: Prepared, examples: list) -> tuple[dict[str, float], list[dict]]:
    """Scores and predictions of the model with its current weights; without labels the scores are empty."""
    task = prepared.task
    predictions = task.predict(prepared.model, examples, prepared.inference)
    return (task.score(predictions, examples) if has_labels(examples) else {}), predictions


def save(prepared: Prepared, result: FinetuneResult, predictions: list[dict]) -> None:
    """Saves model, tokenizer, task, results, and the predictions for the test set."""
    output, model, task = prepared.folder.output, prepared.model, prepared.task
    set_trained(model, "all")
    try:
        save_pretrained(model, output, task.tokenizer)
    except ValueError:  # the model has no Hugging Face class, such as BERT2BERT
        _without_optimizer(model).save(output / "model.keras")
        task.tokenizer.save_pretrained(output)
    save_task(task, output)
    write_json(output / RESULTS, result.numbers())
    if predictions:
        write_predictions(output / "test_predictions.jsonl", predictions, prepared.data.test)


def _require_scores(examples: list, name: str) -> None:
    if examples and not has_labels(examples):
        origin = examples[0].origin.rpartition(":")[0] or examples[0].origin
        raise ValueError(f"{origin}: some {name} examples have no label; expected a label for each, to score against: "
                         "use a labelled file; without a development file, a tenth of the training examples is held out")


def _without_optimizer(model: PretrainedModel) -> PretrainedModel:
    """An uncompiled copy: its file is smaller, and loading it does not need the losses of fine-tuning."""
    copy, values = from_config(model.config, model.head_name, dtype=model.dtype_policy), named_variables(model)
    for path, variable in named_variables(copy).items():
        variable.assign(values[path])
    return copy
