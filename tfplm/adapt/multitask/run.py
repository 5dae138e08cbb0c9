"""One encoder, several heads, batches of one task at a time (MT-DNN, Liu et al. 2019, algorithm 1)."""

import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from tfplm.adapt.finetune.batches import batch_source
from tfplm.adapt.finetune.callbacks import Evaluation
from tfplm.adapt.finetune.data import Examples, load_examples
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.finetune.result import save_task, scores_line
from tfplm.adapt.tasks.catalogue import LABEL_KINDS, TASKS, settings_of
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import write_json
from tfplm.data.batches.batch_source import dataset_like, mixed_batches, with_other_keys
from tfplm.models.heads import make_head
from tfplm.models.model import PretrainedModel
from tfplm.models.precision import dtype_policy
from tfplm.models.pretrained.api import from_config, from_pretrained, save_pretrained, source_config
from tfplm.models.pretrained.source import open_source
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.base import verb
from tfplm.options.finetune import FinetuneOptions
from tfplm.options.multitask import MultitaskOptions
from tfplm.summaries import Every, SummaryCallback
from tfplm.tokenizers import Tokenizer
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, open_folder
from tfplm.training.optimizers.make import compile_arguments

TASK = "task"  # key of the number of a batch's task, int32 [B]
_TOGETHER = ("classification", "multi-label", "regression", "tagging", "question-answering")


class MultiTask(keras.Model):
    """A headless model and a head for each task. Batches are of one task; `y` and weights lie in the batch.

    Args:
        model: without a head, trained in place.
        tasks: name -> task, with its labels learned.
    """

    def __init__(self, model: PretrainedModel, tasks: dict[str, Task]):
        super().__init__(name="multitask", dtype=model.dtype_policy, autocast=False)
        self.pretrained, self.tasks = model, tasks
        self.task_heads, self.task_losses = [], []
        with dtype_policy(model.dtype_policy):
            for task in tasks.values():
                head = make_head(task.head, model.config.replace(**task.config_changes()), model, task.num_labels)
                self.task_heads.append(head)
                self.task_losses.append(task.loss(_WithHead(head)))
        self.loss_means = [keras.metrics.Mean(name=f"{name}_loss") for name in tasks]
        self.built = True

    def outputs(self, number: int, batch: dict, training=False):
        """What the head of the task with this number gives."""
        return self.task_heads[number](self.pretrained.features(batch, training=training), batch, training=training)

    def call(self, batch, training=False):
        """
        Returns:
            float32 `[B]`: the losses of the examples, each with its weight.
        """
        batch = dict(batch)
        number = batch.pop(TASK)[0]
        branches = [lambda place=place: self._batch_losses(place, batch, training) for place in range(len(self.tasks))]
        return {"losses": tf.switch_case(number, branches), "task": number}

    def _batch_losses(self, place: int, batch: dict, training: bool):
        own = {key.partition("/")[2]: value for key, value in batch.items() if key.startswith(f"{place}/")}
        x = {key: value for key, value in own.items() if not key.startswith(("y:", "w:"))}
        y = {key[2:]: value for key, value in own.items() if key.startswith("y:")}
        weights = {key[2:]: value for key, value in own.items() if key.startswith("w:")}
        return _per_example(self.task_losses[place], y, self.outputs(place, x, training), weights)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return tf.reduce_mean(y_pred["losses"]) / tf.cast(self.distribute_strategy.num_replicas_in_sync, tf.float32)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        for place, mean in enumerate(self.loss_means):
            own = tf.cast(tf.equal(y_pred["task"], place), tf.float32)
            mean.update_state(tf.reduce_mean(y_pred["losses"]), sample_weight=own)
        return self.get_metrics_result()


@dataclasses.dataclass
class _WithHead:
    """What a task's loss may want of a model."""

    head: keras.layers.Layer


def _per_example(loss, y: dict, outputs, weights: dict):
    """float32 `[B]`: means over the places of each example; of several outputs the sum over these."""
    if isinstance(outputs, dict):
        parts = [_per_example(loss[name], {"": y[name]}, outputs[name], {"": weights.get("", weights.get(name))})
                 for name in outputs]
        return tf.add_n(parts)
    losses = tf.cast(loss.call(y[""], outputs), tf.float32) * tf.cast(weights[""], tf.float32)
    return losses if len(losses.shape) == 1 else tf.reduce_mean(losses, axis=-1)


class MixedBatches:
    """Batches of several tasks, each of one of them, drawn by (number of examples) ** alpha; without end."""

    def __init__(self, tasks: dict[str, Task], features: dict[str, list[dict]], options: MultitaskOptions):
        self.tasks, self.seed = tasks, options.seed
        self.sources = {name: batch_source(task, features[name], options.batch_size, options.seed)
                        for name, task in tasks.items()}
        self.shares = {name: len(rows) ** options.alpha for name, rows in features.items()}
        self.steps = max(1, math.ceil(options.epochs * sum(len(rows) for rows in features.values())
                                      / options.batch_size))
        self._templates = [self._flat(place, name, next(self.sources[name].epoch(0)))
                           for place, name in enumerate(tasks)]

    def _flat(self, place: int, name: str, batch: dict) -> dict:
        batch.pop("example", None)
        x, y, weights = self.tasks[name].split(batch)
        parts = {**x, **_named("y:", y), **_named("w:", weights)}
        return {f"{place}/{key}": np.asarray(value) for key, value in parts.items()}

    def _complete(self, place: int, flat: dict) -> dict:
        mask = flat[f"{place}/attention_mask"]  # once more by its usual name, for the progress bar to count tokens
        return {**with_other_keys(flat, self._templates), "attention_mask": mask,
                TASK: np.full(len(mask), place, np.int32)}

    def __iter__(self):
        numbers = {name: place for place, name in enumerate(self.tasks)}
        for name, batch in mixed_batches(self.sources, self.shares, self.seed):
            yield self._complete(numbers[name], self._flat(numbers[name], name, batch))

    def dataset(self) -> tf.data.Dataset:
        return dataset_like(lambda: iter(self), self._complete(0, self._templates[0]))


def _named(prefix: str, values) -> dict:
    return {prefix + key: value for key, value in values.items()} if isinstance(values, dict) else {prefix: values}


class _Evaluations(keras.callbacks.Callback):
    """Scores of every task's development set, as `val_TASK_NAME`."""

    def __init__(self, evaluations: dict[str, Evaluation]):
        super().__init__()
        self.evaluations = evaluations

    def on_epoch_end(self, epoch, logs=None):
        for name, evaluation in self.evaluations.items():
            scores = evaluation.task.score(evaluation.predictions(), evaluation.examples)
            logs[f"val_{name}_{evaluation.task.monitor}"] = float(scores[evaluation.task.monitor])


def parse_tasks(texts: list[str]) -> dict[str, tuple[str, str]]:
    """`["sst=classification:data/sst2", ...]` -> name -> (task, data); ValueError says what is wrong."""
    found = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        task, colon, data = rest.partition(":")
        if not (name and equals and colon and data) or task not in _TOGETHER:
            raise ValueError(f"{text!r}: expected NAME=TASK:DATA, TASK being one of {', '.join(_TOGETHER)}")
        if name in found:
            raise ValueError(f"the name {name!r} is given twice")
        found[name] = task, data
    if len(found) < 2:
        raise ValueError(f"{len(found)} task: expected two or more; for one there is tfplm finetune")
    return found


def _open(options: MultitaskOptions, tokenizer: Tokenizer) -> dict[str, tuple[Task, Examples]]:
    longest, opened = source_config(options.init).row_limit(options.max_length), {}
    for name, (kind, data) in parse_tasks(options.tasks).items():
        shared = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)
                  if field.name in {f.name for f in dataclasses.fields(FinetuneOptions)} and field.name != "epochs"}
        own = FinetuneOptions(**{**shared, "task": kind, "data": data, "label_kind": LABEL_KINDS.get(kind, "class")})
        examples = load_examples(own, TASKS[kind].kind, (lambda *_: None) if options.quiet else print)
        task = TASKS[kind](tokenizer, settings_of(own, max_length=longest))
        task.learn(examples.train)
        opened[name] = task, examples
    return opened


@verb(MultitaskOptions)
def multitask(options: MultitaskOptions) -> dict[str, dict[str, float]]:
    """Trains all tasks together, prints and gives back the scores of each: `{name: scores}`.

    The model of each is saved in OUTPUT/NAME, the scores in OUTPUT/results.json.
    """
    options = dataclasses.replace(options, init=open_source(options.init))
    opened = _open(options, tokenizer := Tokenizer.from_pretrained(options.init))
    folder = open_folder(options, "multitask")
    tasks = {name: task for name, (task, _) in opened.items()}
    features = {name: task.features(examples.train, labelled=True) for name, (task, examples) in opened.items()}
    batches = MixedBatches(tasks, features, options)
    keras.utils.set_random_seed(options.seed)
    with strategy_for(options.strategy).scope():
        model = MultiTask(from_pretrained(options.init, None, dtype=options.dtype), tasks)
        for head, (name, task) in zip(model.task_heads, tasks.items(), strict=True):
            task.begin(head, features[name])
        model.compile(**compile_arguments(options, batches.steps))
        model.optimizer.build(model.trainable_variables)
    evaluations = {}
    for place, (name, (task, examples)) in enumerate(opened.items()):
        inference = Inference(model, tokenizer.pad_token_id or 0, lambda batch, place=place: model.outputs(place, batch))
        evaluations[name] = Evaluation(task, examples.dev, task.features(examples.dev, labelled=False), inference,
                                       model=_WithHead(model.task_heads[place]))
    epochs = max(1, math.ceil(options.epochs))
    callbacks = [Resume(folder.checkpoints, options.save_every), _Evaluations(evaluations), Progress(options.quiet)]
    if options.summary_every:
        callbacks.append(SummaryCallback(folder.log_dir, Every(scalars=options.summary_every), graph=False))
    model.fit(batches.dataset(), steps_per_epoch=math.ceil(batches.steps / epochs), epochs=epochs, verbose=0,
              shuffle=False, callbacks=callbacks)
    scores = {name: evaluation.task.score(evaluation.predictions(), evaluation.examples)
              for name, evaluation in evaluations.items()}
    if is_chief():
        for place, (name, task) in enumerate(tasks.items()):
            single = _single(model, place, task, options.dtype)
            save_pretrained(single, folder.output / name, tokenizer)
            save_task(task, folder.output / name)
        write_json(folder.output / RESULTS, scores)
    if not options.quiet:
        print("\n".join(f"{name:12s} {scores_line(values, tasks[name])}" for name, values in scores.items()))
    return scores


def _single(model: MultiTask, place: int, task: Task, dtype) -> PretrainedModel:
    """The model of one task by itself."""
    config = model.pretrained.config.replace(**task.config_changes())
    single = from_config(config, task.head, num_labels=task.num_labels, dtype=dtype)
    values = {**named_variables(model.pretrained), **named_variables(model.task_heads[place])}
    for path, variable in named_variables(single).items():
        variable.assign(values[path])
    return single
