"""K-fold cross-validation: every training example is predicted once by a model that has not seen it."""

import dataclasses

import numpy as np

from tfplm.adapt.finetune.data import Examples
from tfplm.adapt.finetune.result import FinetuneResult
from tfplm.adapt.finetune.start import Start
from tfplm.adapt.finetune.training import fit, prepare, save, scores
from tfplm.adapt.finetune.writing import write_predictions
from tfplm.adapt.tasks.task import Task
from tfplm.core.config import write_json
from tfplm.training.loop.run_folder import RESULTS, Folder


def cross_validate(start: Start, task: Task, data: Examples, folder: Folder) -> FinetuneResult:
    """Trains `folds` models on training and development examples together, each without one part, which it is scored
    on. `OUTPUT/fold-N` holds the models, `OUTPUT/predictions.jsonl` the predictions for all examples. Each model predicts
    the test set too, in its own folder; its scores are the means over the folds."""
    options, examples = start.options, [*data.train, *data.dev]
    if len(examples) < options.folds:
        raise ValueError(f"{len(examples)} examples are too few for {options.folds} folds")
    part = np.random.default_rng(options.seed).permutation(len(examples)) % options.folds
    folds, tests, predictions = [], [], [None] * len(examples)
    for number in range(options.folds):
        inside, outside = np.flatnonzero(part != number), np.flatnonzero(part == number)
        output = folder.output / f"fold-{number + 1}"
        own = dataclasses.replace(folder, output=output, log_dir=folder.log_dir / output.name)
        output.mkdir(parents=True, exist_ok=True)
        if not options.quiet:
            print(f"fold {number + 1} of {options.folds}")
        fold = prepare(start, task, own, Examples([examples[i] for i in inside], [examples[i] for i in outside],
                                                  data.test))
        fit(fold)
        dev, found = scores(fold, fold.data.dev)
        for index, prediction in zip(outside, found):
            predictions[index] = prediction
        test, test_predictions = scores(fold, data.test) if data.test else ({}, [])
        save(fold, FinetuneResult(output, fold.model, task, own.log_dir, dev, test), test_predictions)
        folds.append(dev)
        tests.append(test)
    result = FinetuneResult(folder.output, None, task, folder.log_dir, _means(folds, task.monitor),
                            _means(tests, task.monitor), folds=folds)
    write_predictions(folder.output / "predictions.jsonl", predictions, examples)
    write_json(folder.output / RESULTS, result.numbers())
    return result


def _means(folds: list[dict[str, float]], monitor: str) -> dict[str, float]:
    """Means of the scores that every fold has, and the deviation of the main one."""
    names = [name for name in folds[0] if all(name in scores for scores in folds)]
    means = {name: float(np.mean([scores[name] for scores in folds])) for name in names}
    if monitor in names:  # a test set without labels has no scores
        means[f"{monitor}_deviation"] = float(np.std([scores[monitor] for scores in folds]))
    return means
