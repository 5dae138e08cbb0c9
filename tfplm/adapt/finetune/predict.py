"""`tfplm predict`: predictions of a fine-tuned model."""

import dataclasses

from tfplm.adapt.finetune.data import read_split
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.finetune.writing import write_predictions
from tfplm.adapt.tasks.catalogue import LABEL_KINDS
from tfplm.core.terminal.results import check_output
from tfplm.data.text.text_files import read_lines
from tfplm.options.base import verb
from tfplm.options.finetune import PredictOptions


@verb(PredictOptions)
def run(options: PredictOptions) -> list[dict]:
    """Writes and returns predictions; see `PredictOptions`."""
    check_output(options.output, options.overwrite)
    predictor = Predictor.from_pretrained(options.source, options.dtype, options.backend, options.precision,
                                          n_best=options.n_best)
    task = predictor.task
    options = dataclasses.replace(options, label_kind=LABEL_KINDS.get(task.name, "class"))
    if options.file:
        examples = read_split(options.file, task.kind, options, None)
    else:
        texts = options.texts or list(read_lines("-", options.encoding))
        examples = predictor.examples(_rows(texts, task, bool(options.texts)))
    shown = not options.quiet and len(examples) > 100
    predictions = predictor.predict_examples(examples, "prediction" if shown else None)
    write_predictions(options.output, predictions, examples, options.json, options.overwrite)
    return predictions


def _rows(texts: list[str], task, arguments: bool) -> list:
    """Texts as inputs of the task; questions, and lines with a tab, are pairs."""
    pairs = task.kind == "question" or (task.kind == "text" and task.settings.pairs)
    if pairs and arguments:
        if len(texts) % 2:
            what = "a context after each question" if task.kind == "question" else "a second text after each text"
            raise ValueError(f"{len(texts)} texts were given; expected {what}: add the missing text")
        end = () if task.kind == "question" else None
        return [(first, second, end) for first, second in zip(texts[::2], texts[1::2])]
    if task.kind == "choice":
        raise ValueError("texts were given without choices; expected a file for multiple choice: use --file FILE with "
                         "JSON lines of text and choices")
    rows = [tuple(text.split("\t")) if "\t" in text else (text,) for text in texts]
    if task.kind == "question":
        return [(*row[:2], ()) for row in rows]
    return [row if len(row) > 1 else row[0] for row in rows] if task.kind != "text" else \
        [(*row[:2], None) if len(row) > 1 else (row[0], None) for row in rows]
