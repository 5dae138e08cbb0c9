"""One fine-tuning, from examples to the saved model."""

import time

import keras

from tfplm.adapt.finetune.batches import TaskBatches
from tfplm.adapt.finetune.callbacks import BestWeights, Evaluation
from tfplm.adapt.finetune.data import Examples
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.finetune.result import FinetuneResult, save_task
from tfplm.adapt.finetune.start import make_model
from tfplm.adapt.finetune.writing import write_predictions
from tfplm.adapt.methods.augmentation import noise_of
from tfplm.adapt.methods.auxiliary_lm import WithLanguageModel
from tfplm.adapt.methods.freezing import GradualUnfreezing, set_trained
from tfplm.adapt.methods.frozen_features import FrozenFeatures, collate_states
from tfplm.adapt.methods.replay import Replay, forgetting
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import write_json
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.api import from_config, save_pretrained
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.finetune import FinetuneOptions
from tfplm.summaries import Every, SummaryCallback
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, Folder
from tfplm.training.optimizers.make import compile_arguments


class Seconds(keras.callbacks.Callback):
    """`epochs`: the seconds that each took, before its evaluation."""

    def on_train_begin(self, logs=None):
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(time.monotonic() - self._begin)


class Run:
    """Builds everything; `result` trains, evaluates and saves.

    model: the model with its head. trained: what `fit` is called on, the model itself or one around it.
    """

    def __init__(self, options: FinetuneOptions, task: Task, folder: Folder, data: Examples,
                 replay: Replay | None = None):
        self.options, self.task, self.folder, self.data, self.replay = options, task, folder, data, replay
        self.feature_seconds = 0.0
        self.features = task.features([*data.train, *(replay.examples if replay else [])], labelled=True)
        self.dev_features = task.features(data.dev, labelled=False)
        _require_scores(data.dev, "development")
        _require_scores(replay.held_out if replay else [], "earlier task's held-out")
        keras.utils.set_random_seed(options.seed)
        with strategy_for(options.strategy).scope():
            self.model = make_model(options, task)
            task.begin(self.model.head, self.features)
            set_trained(self.model, "last:1" if options.unfreeze_every else options.train)  # or it says why not
            set_trained(self.model, options.train)
            self.trained = self._around()
            if options.train == "features":
                self._remember()
        self.inference = Inference(self.model, task.pads)
        self.batches = TaskBatches(task, self.features, options.batch_size, options.seed, self._noise())
        with self.trained.distribute_strategy.scope():
            self._compile()

    def _around(self) -> keras.Model:
        if self.options.train == "features":
            return FrozenFeatures(self.model, self.task.pads)
        return WithLanguageModel(self.model, self.options.auxiliary_lm) if self.options.auxiliary_lm else self.model

    def _remember(self) -> None:
        begin = time.monotonic()
        for features in (self.features, self.dev_features):
            self.trained.remember(features, self.task.targets)
        self.feature_seconds = time.monotonic() - begin
        if not self.options.quiet:
            count = len(self.features) + len(self.dev_features)
            print(f"features of {count:,} rows: {self.feature_seconds:.1f} s")

    def _noise(self):
        if self.options.train == "features":
            return self.trained.add_states
        return noise_of(self.options, self.task.tokenizer, self.model)

    def _compile(self) -> None:
        settings = compile_arguments(self.options, self.options.epochs * self.batches.steps,
                                     rates={r"(^|/)crf/": self.options.crf_rate})
        self.trained.compile(loss=self.task.loss(self.model), metrics=self.task.metrics(), **settings)
        self.trained.optimizer.build(self.trained.trainable_variables)

    def evaluation(self) -> Evaluation:
        """The callback that scores the development set; on frozen features, these are used again."""
        inference = self.inference
        if self.options.train == "features":
            inference = Inference(self.trained, self.task.pads, collate=collate_states(self.trained))
        return Evaluation(self.task, self.data.dev, self.dev_features, inference, self.folder.log_dir, self.model)

    def scores(self, examples: list) -> tuple[dict[str, float], list[dict]]:
        """Scores and predictions of the model with its present weights; scores are empty without labels."""
        predictions = self.task.predict(self.model, examples, self.inference)
        return (self.task.score(predictions, examples) if has_labels(examples) else {}), predictions

    def fit(self) -> tuple[dict, list[float]]:
        """Trains; the best weights are in the model afterwards. The history, and the seconds of each epoch."""
        options, monitor = self.options, f"val_{self.task.monitor}"
        best, seconds = BestWeights(self.folder.checkpoints / "best.npz", monitor, self.model), Seconds()
        callbacks = [Resume(self.folder.checkpoints, options.save_every), seconds, self.evaluation(), best,
                     Progress(options.quiet)]
        if options.unfreeze_every:
            callbacks.insert(0, GradualUnfreezing(options.unfreeze_every, self.model))
        if options.patience:
            callbacks.append(keras.callbacks.EarlyStopping(monitor, patience=options.patience, mode="max"))
        if options.summary_every:
            callbacks.append(SummaryCallback(self.folder.log_dir, Every(scalars=options.summary_every,
                                                                        weights=self.batches.steps), graph=False))
        history = self.trained.fit(self.batches.dataset(options.epochs), steps_per_epoch=self.batches.steps,
                                   epochs=options.epochs, verbose=0, shuffle=False, callbacks=callbacks)
        if options.keep == "best":
            best.restore()
        return {name: [float(value) for value in values] for name, values in history.history.items()}, seconds.epochs

    def result(self) -> FinetuneResult:
        """Trains, scores the best weights, saves."""
        old = self.replay.held_out if self.replay else []
        before = self.scores(old)[0] if old else {}
        history, seconds = self.fit()
        dev, _ = self.scores(self.data.dev)
        test, predictions = self.scores(self.data.test) if self.data.test else ({}, [])
        forgotten = forgetting(before, self.scores(old)[0], self.task.monitor) if old else {}
        result = FinetuneResult(self.folder.output, self.model, self.task, self.folder.log_dir, dev, test, history,
                                seconds, self.feature_seconds, forgotten)
        if is_chief():
            self.save(result, predictions)
        return result

    def save(self, result: FinetuneResult, predictions: list[dict]) -> None:
        """Model, tokenizer, task, numbers, and the predictions for the test set."""
        output = self.folder.output
        set_trained(self.model, "all")
        try:
            save_pretrained(self.model, output, self.task.tokenizer)
        except ValueError:  # no other library has a name for all of it, such as BERT2BERT
            _without_optimizer(self.model).save(output / "model.keras")
            self.task.tokenizer.save_pretrained(output)
        save_task(self.task, output)
        write_json(output / RESULTS, result.numbers())
        if predictions:
            write_predictions(output / "test_predictions.jsonl", predictions, self.data.test)


def _require_scores(examples: list, name: str) -> None:
    if examples and not has_labels(examples):
        origin = examples[0].origin.rpartition(":")[0] or examples[0].origin
        raise ValueError(f"{origin}: the {name} examples have no labels to be scored by (not all of them): give a labelled "
                         "file; without any development file a tenth of the training examples is held back")


def _without_optimizer(model: PretrainedModel) -> PretrainedModel:
    """A copy that was never compiled: its file is smaller, and is read without the losses of fine-tuning."""
    copy, values = from_config(model.config, model.head_name, dtype=model.dtype_policy), named_variables(model)
    for path, variable in named_variables(copy).items():
        variable.assign(values[path])
    return copy


def has_labels(examples: list) -> bool:
    """Whether all examples have what they are scored by."""
    for name in ("label", "tags", "target", "answers"):
        if examples and hasattr(examples[0], name):
            return all(getattr(example, name) is not None and (name != "answers" or example.answers
                                                               or example.impossible) for example in examples)
    return False
