"""K-fold cross-validation: each example is predicted once, by a model that was not trained on it."""

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
    """Trains `folds` models on training and development examples together; each omits one part, on which it is scored.

    The models are saved in `OUTPUT/fold-N`, the predictions for all examples in `OUTPUT/predictions.jsonl`. Each model
    also predicts the test set, in its own folder; the result has the mean test scores over the folds.
    """
    options, examples = start.options, [*data.train, *data.dev]
    if len(examples) < options.folds:
        raise ValueError(f"there are {len(examples)} examples; expected at least one for each of {options.folds} "
                         "folds: use a smaller --folds")
    part = np.random.default_rng(options.seed).permutation(len(examples)) % options.folds
    folds, tests, predictions = [], [], [None] * len(examples)
    for index in range(options.folds):
        inside, outside = np.flatnonzero(part != index), np.flatnonzero(part == index)
        output = folder.output / f"fold-{index + 1}"
        own = dataclasses.replace(folder, output=output, log_dir=folder.log_dir / output.name)
        output.mkdir(parents=True, exist_ok=True)
        if not options.quiet:
            print(f"fold {index + 1} of {options.folds}")
        fold = prepare(start, task, own, Examples([examples[i] for i in inside], [examples[i] for i in outside],
                                                  data.test))
        fit(fold)
        dev, found = scores(fold, fold.data.dev)
        for i, prediction in zip(outside, found):
            predictions[i] = prediction
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
    """Means of the scores that all folds have, and the standard deviation of the main one."""
    names = [name for name in folds[0] if all(name in scores for scores in folds)]
    means = {name: float(np.mean([scores[name] for scores in folds])) for name in names}
    if monitor in names:  # a test set without labels has no scores
        means[f"{monitor}_deviation"] = float(np.std([scores[monitor] for scores in folds]))
    return means
