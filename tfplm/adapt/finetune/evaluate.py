"""`tfplm evaluate`: the scores of a fine-tuned model on labelled data."""

import contextlib
import dataclasses
from pathlib import Path

from tfplm.adapt.finetune.data import files_of, has_labels, read_split
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.tasks.catalogue import LABEL_KINDS
from tfplm.adapt.tasks.remarks import held_out
from tfplm.core.config import write_json
from tfplm.core.outputs import writing_file, writing_folder
from tfplm.core.terminal.results import show_scores
from tfplm.options.base import verb
from tfplm.options.finetune import EvaluateOptions


@verb(EvaluateOptions)
def evaluate(options: EvaluateOptions) -> dict[str, float]:
    """Prints and returns the scores; see `EvaluateOptions`.

    Raises ValueError if the data have no labels.
    """
    with contextlib.ExitStack() as stack:
        if options.output:
            stack.enter_context(writing_file(options.output, options.overwrite))
        if options.pictures:
            stack.enter_context(writing_folder(options.pictures, ("*.png",), options.overwrite))
        return _run(options)


def _run(options: EvaluateOptions) -> dict[str, float]:
    predictor = Predictor.from_pretrained(options.source, options.dtype)
    task = predictor.task
    options = dataclasses.replace(options, label_kind=LABEL_KINDS.get(task.name, "class"))
    examples = held_out(task, _examples(options, task.kind), "given")
    predictions = predictor.predict_examples(examples, None if options.quiet else "evaluation")
    scores = task.score(predictions, examples)
    show_scores(scores, options.json)
    if options.output:
        write_json(options.output, scores)
    if options.pictures:
        _save_pictures(Path(options.pictures), task.pictures(predictions, examples))
    return scores


def _examples(options: EvaluateOptions, kind: str) -> list:
    if not options.data.startswith("tfds:") and not Path(options.data).is_dir():
        examples = read_split(options.data, kind, options, None)
    else:
        files = files_of(options.data)
        wanted = ["test", "dev"] if options.split == "auto" else [options.split]
        for split in wanted:
            examples = read_split(files[split], kind, options, split) if split in files else []
            if has_labels(examples):
                break
    if not has_labels(examples):
        raise ValueError(f"{options.data}: the examples have no labels; expected a label for each, to score against: "
                         "add them, or use tfplm predict, which needs none")
    return examples


def _save_pictures(folder: Path, pictures: dict) -> None:
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
