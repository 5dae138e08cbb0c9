"""Output of predictions: JSON lines, a JSON list, TSV, or a table at a terminal."""

import dataclasses
import os
from collections.abc import Iterable

from tfplm.adapt.tasks.tags import join_text
from tfplm.core.terminal.results import Results, probability


def rows_of(predictions: list[dict], examples: list) -> Iterable[dict]:
    """Each prediction with the inputs of its example; if the prediction is a text, the input text is its `source`."""
    for prediction, example in zip(predictions, examples):
        given = {field.name: value for field in dataclasses.fields(example)
                 if (value := getattr(example, field.name)) is not None
                 and field.name in ("id", "text", "pair", "words", "question") and (value or field.name != "id")}
        if "text" in given and "text" in prediction:
            given = {"source" if name == "text" else name: value for name, value in given.items()}
        yield {**given, **prediction}


def write_predictions(path: str | os.PathLike | None, predictions: list[dict], examples: list, json: bool = False,
                      overwrite: bool = True) -> None:
    """Writes predictions to a file, in the format of its suffix; path=None: to standard output, as a table if that is a
    terminal and `json` is False, else as JSON lines. An existing file is an error, unless `overwrite`."""
    with Results(json, path, cells=cells_of, overwrite=overwrite) as results:
        for row in rows_of(predictions, examples):
            results.show(row)


def cells_of(row: dict) -> dict:
    """The cells of a row in a table: texts, labels, and their probabilities with two decimals."""
    cells = {name: value for name, value in row.items() if name in ("id", "source", "text", "pair", "question")}
    if "words" in row:
        cells["text"] = join_text(row["words"])
    if "spans" in row:
        return {**cells, "spans": "; ".join(f"{span['text']} {span['type']} {probability(span['probability'])}"
                                            for span in row["spans"])}
    for name in ("label", "value", "choice", "answer"):
        if name in row:
            cells[name] = row[name]
    for name in ("labels", "tags"):
        if name in row:
            cells[name] = " ".join(row[name])
    return {**cells, **_probabilities(row)}


def _probabilities(row: dict) -> dict:
    if "probability" in row:
        return {"probability": probability(row["probability"])}
    values = row.get("probabilities")
    if values is None or "tags" in row:
        return {}
    chosen = row.get("labels", [row["label"] if "label" in row else row.get("choice")])
    return {"probability": " ".join(probability(values[name]) for name in chosen)}
