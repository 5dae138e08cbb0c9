"""`tfplm multitask`: one encoder, several heads, one task per batch (MT-DNN, Liu et al. 2019, algorithm 1)."""

import dataclasses
import math

import keras

from tfplm.adapt.finetune.callbacks import Evaluation
from tfplm.adapt.finetune.data import Examples, digests, load_examples
from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.finetune.result import save_task, scores_line
from tfplm.adapt.multitask.batches import MixedBatches
from tfplm.adapt.multitask.model import MultiTask, WithHead
from tfplm.adapt.tasks.catalogue import LABEL_KINDS, TASKS, settings_of
from tfplm.adapt.tasks.remarks import held_out, training
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import write_json
from tfplm.layers.precision import training_dtype
from tfplm.models.pretrained.api import from_pretrained, save_pretrained, source_config
from tfplm.models.pretrained.source import open_source
from tfplm.options.base import verb
from tfplm.options.finetune import FinetuneOptions
from tfplm.options.multitask import MultitaskOptions
from tfplm.summaries import Every, SummaryCallback
from tfplm.tokenizers import Tokenizer
from tfplm.training.loop.distribute import is_chief, strategy_for
from tfplm.training.loop.progress import Progress
from tfplm.training.loop.resume import Resume
from tfplm.training.loop.run_folder import RESULTS, Folder, open_folder
from tfplm.training.optimizers.make import compile_arguments

_TOGETHER = ("classification", "multi-label", "regression", "tagging", "question-answering")


class _Evaluations(keras.callbacks.Callback):
    """Adds the main score of each task on its development set to the logs, as `val_TASK_SCORE`."""

    def __init__(self, evaluations: dict[str, Evaluation]):
        super().__init__()
        self.evaluations = evaluations

    def on_epoch_end(self, epoch, logs=None):
        for name, evaluation in self.evaluations.items():
            scores = evaluation.task.score(evaluation.predictions(), evaluation.examples)
            logs[f"val_{name}_{evaluation.task.monitor}"] = float(scores[evaluation.task.monitor])


def parse_tasks(texts: list[str]) -> dict[str, tuple[str, str]]:
    """`["sst=classification:data/sst2", ...]` -> name -> (task, data). Raises ValueError for other texts."""
    found = {}
    for text in texts:
        name, equals, rest = text.partition("=")
        task, colon, data = rest.partition(":")
        if not (name and equals and colon and data) or task not in _TOGETHER:
            raise ValueError(f"a task is {text!r}; expected NAME=TASK:DATA, where TASK is one of {', '.join(_TOGETHER)}"
                             ": write it like sst=classification:data/sst2")
        if name in found:
            raise ValueError(f"two tasks have the name {name!r}; expected different names: rename one of them")
        found[name] = task, data
    if len(found) < 2:
        raise ValueError(f"{len(found)} task was given; expected two or more: add one, or use tfplm finetune")
    return found


def _open(options: MultitaskOptions, tokenizer: Tokenizer, report) -> dict[str, tuple[Task, Examples]]:
    longest, opened = source_config(options.init).row_limit(options.max_length), {}
    for name, (kind, data) in parse_tasks(options.tasks).items():
        shared = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)
                  if field.name in {f.name for f in dataclasses.fields(FinetuneOptions)} and field.name != "epochs"}
        own = FinetuneOptions(**{**shared, "task": kind, "data": data, "label_kind": LABEL_KINDS.get(kind, "class")})
        examples = load_examples(own, TASKS[kind].kind, report)
        task = TASKS[kind](tokenizer, settings_of(own, max_length=longest))
        task.learn(examples.train)
        opened[name] = task, dataclasses.replace(examples, dev=held_out(task, examples.dev, f"{name} development"))
    return opened


@verb(MultitaskOptions)
def multitask(options: MultitaskOptions) -> dict[str, dict[str, float]]:
    """Trains all tasks together; prints and returns the scores of each: `{name: scores}`.

    The model of each task is saved in OUTPUT/NAME, the scores in OUTPUT/results.json.
    """
    for name in ("epochs", "batch_size", "max_length"):
        if (value := getattr(options, name)) <= 0:
            raise ValueError(f"{name} is {value}; expected more than 0: change --{name.replace('_', '-')}")
    options = dataclasses.replace(options, init=open_source(options.init))
    said: list[str] = []  # after the line of the folder
    opened = _open(options, tokenizer := Tokenizer.from_pretrained(options.init), said.append)
    examples = (example for _, found in opened.values() for example in (*found.train, *found.dev))
    with open_folder(options, "multitask", digests(options, examples)) as folder:
        if said and not options.quiet:
            print("\n".join(said))
        return _run(options, opened, tokenizer, folder)


def _run(options: MultitaskOptions, opened: dict[str, tuple[Task, Examples]], tokenizer: Tokenizer, folder: Folder
         ) -> dict[str, dict[str, float]]:
    tasks = {name: task for name, (task, _) in opened.items()}
    features = {name: task.features(examples.train, labelled=True) for name, (task, examples) in opened.items()}
    for name, (task, examples) in opened.items():
        training(task, examples.train, features[name])
    batches = MixedBatches(tasks, features, options)
    keras.utils.set_random_seed(options.seed)
    with strategy_for(options.strategy).scope():
        model = MultiTask(from_pretrained(options.init, None, dtype=training_dtype(options.dtype)), tasks)
        for head, (name, task) in zip(model.task_heads, tasks.items(), strict=True):
            task.init_head(head, features[name])
        model.compile(**compile_arguments(options, batches.steps))
        model.optimizer.build(model.trainable_variables)
    evaluations = _evaluations(model, opened)
    epochs = max(1, math.ceil(options.epochs))
    callbacks = [Resume(folder.checkpoints, options.save_every, data=batches, extend=folder.extend),
                 _Evaluations(evaluations), Progress(options.quiet)]
    if options.summary_every != 0:
        callbacks.append(SummaryCallback(folder.log_dir, Every(scalars=options.summary_every), graph=False))
    model.fit(batches.dataset(), steps_per_epoch=math.ceil(batches.steps / epochs), epochs=epochs, verbose=0,
              shuffle=False, callbacks=callbacks)
    scores = {name: evaluation.task.score(evaluation.predictions(), evaluation.examples)
              for name, evaluation in evaluations.items()}
    if is_chief():
        for name, single in model.saved_models().items():
            save_pretrained(single, folder.output / name, tokenizer)
            save_task(tasks[name], folder.output / name)
        write_json(folder.output / RESULTS, scores)
    if not options.quiet:
        print("\n".join(f"{name:12s} {scores_line(values, tasks[name])}" for name, values in scores.items()))
    return scores


def _evaluations(model: MultiTask, opened: dict[str, tuple[Task, Examples]]) -> dict[str, Evaluation]:
    found = {}
    for index, (name, (task, examples)) in enumerate(opened.items()):
        inference = Inference(model, task.pads, lambda batch, index=index: model.outputs(index, batch))
        found[name] = Evaluation(task, examples.dev, task.features(examples.dev, labelled=False), inference,
                                 model=WithHead(model.task_heads[index]))
    return found
