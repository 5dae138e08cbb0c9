"""Rows of a table -> multiple choice, in the layouts of SWAG, HellaSwag, RACE, ARC, COPA, C3 and their like."""

import re
from typing import Any

from tfplm.data.tasks.columns import IDS, first_named, resolve
from tfplm.data.tasks.examples import ChoiceExample
from tfplm.data.tasks.reading import Reader, Row, Table, shorten

_LISTS = ("choices", "options", "endings", "candidates", "ending_options", "answers")
_NUMBERED = re.compile(r"(?:ending|choice|option|sol|answer|candidate)_?(?:\d|[a-h])")
_TEXTS = ("context", "article", "passage", "sent1", "startphrase", "ctx", "premise", "text", "sentence", "document",
          "goal")
_QUESTIONS = ("question", "sent2", "query", "question_stem")
_LABELS = ("label", "answer", "answerkey", "gold", "correct", "answer_index", "correct_answer")


def choice_examples(table: Table, reader: Reader) -> list[ChoiceExample]:
    """Multiple choice. The label is a place (from 0, or from 1 where no row has a 0 and one is past the end), a letter,
    one of the choices' own labels (ARC), or the text of the choice.

    Where there are both a context and a question, the question leads each choice, or the choice fills its `_` (RACE).
    """
    columns = _columns(table, reader)
    reader.report.columns.update({role: str(column) for role, column in columns.items() if column})
    examples, numbers = [], []
    for row in table.rows:
        choices = _choices(row, columns)
        text, question = (str(row.values.get(columns[role]) or "") for role in ("text", "question"))
        if choices is None or len(choices[0]) < 2:
            reader.reject(row.origin, f"choices {shorten([row.values.get(c) for c in columns['choices']])}",
                          "at least two texts to choose from")
            continue
        texts, names = choices
        label = row.values.get(columns["label"])
        place = None
        if columns["label"] is not None and not _unlabelled(label):
            place = _place(label, texts, names)
            if place is None:
                reader.reject(row.origin, f"label {shorten(label)}", f"a place from 0 to {len(texts) - 1}, a letter from "
                              f"A to {chr(64 + len(texts))}, or one of the choices")
                continue
        if columns["text"] and columns["question"]:
            texts = [join_question(question, choice) for choice in texts]
        reader.report.empty_texts += not (text or question).strip()
        numbers.append((place, _is_place(label) and not names))
        examples.append(ChoiceExample(text if columns["text"] else question, tuple(texts), place,
                                      str(row.values.get(columns["id"]) or ""), row.origin))
    return _from_zero(examples, numbers, reader)


def join_question(question: str, choice: str) -> str:
    """The choice in the question's blank (`_`), else behind the question; Chinese is joined without a space."""
    if "_" in question:
        return re.sub("_+", lambda _: choice, question, count=1)
    chinese = question[-1:] > "\u2e80" or choice[:1] > "\u2e80"
    return question + ("" if chinese or not question or not choice else " ") + choice


def _columns(table: Table, reader: Reader) -> dict[str, Any]:
    reading, names = reader.reading, table.columns
    single = first_named([n for n in names if any(isinstance(row.values.get(n), (list, tuple, dict))
                                                  for row in table.rows[:20])], _LISTS)
    choices = [single] if single else [name for name in names if _NUMBERED.fullmatch(name.strip().lower())]
    if not choices:
        raise ValueError(f"{table.name}: no choices among the columns {', '.join(names)}; expected a list named "
                         f"{', '.join(_LISTS[:3])}, or columns such as ending0, ending1, ...")
    rest = [name for name in names if name not in choices]
    columns = {"choices": choices, "text": first_named(rest, _TEXTS), "question": first_named(rest, _QUESTIONS),
               "label": first_named(rest, _LABELS), "id": first_named(rest, IDS)}
    for role in ("text", "label", "id"):
        if given := getattr(reading, f"{role}_column"):
            columns[role] = resolve(given, table, f"{role}-column")
    if reading.text_column and columns["question"] == columns["text"]:
        columns["question"] = None
    if columns["text"] is None and columns["question"] is None:
        raise ValueError(f"{table.name}: no text among the columns {', '.join(names)}; give --text-column")
    return columns


def _choices(row: Row, columns: dict[str, Any]) -> tuple[list[str], list[str]] | None:
    """The texts of the choices and, where they have some, their own labels."""
    values = [row.values.get(name) for name in columns["choices"]]
    if len(columns["choices"]) > 1:
        return [str(value) for value in values if value not in (None, "")], []
    (value,) = values
    if isinstance(value, dict) and isinstance(value.get("text"), (list, tuple)):
        return list(map(str, value["text"])), [str(name) for name in value.get("label") or ()]
    if not isinstance(value, (list, tuple)):
        return None
    if all(isinstance(item, dict) and "text" in item for item in value):
        return [str(item["text"]) for item in value], [str(item["label"]) for item in value if "label" in item]
    return list(map(str, value)), []


def _unlabelled(label: Any) -> bool:
    return label is None or str(label).strip() in ("", "-1")


def _is_place(label: Any) -> bool:
    return str(label).strip().isdecimal() and not isinstance(label, bool)


def _place(label: Any, texts: list[str], names: list[str]) -> int | None:
    label = str(label).strip()
    if label in names:
        return names.index(label)
    if label.isdecimal() and int(label) <= len(texts):
        return int(label)
    if len(label) == 1 and 0 <= ord(label.upper()) - 65 < len(texts):
        return ord(label.upper()) - 65
    return texts.index(label) if texts.count(label) == 1 else None


def _from_zero(examples: list[ChoiceExample], numbers: list[tuple[int | None, bool]], reader: Reader
               ) -> list[ChoiceExample]:
    """Labels that count from 1 made to count from 0; a place that is past the end otherwise is a bad row."""
    plain = [(place, len(example.choices)) for (place, number), example in zip(numbers, examples) if number]
    past = any(place >= count for place, count in plain if place is not None)
    if not past:
        return examples
    shift = int(all(place != 0 for place, _ in plain))
    result = []
    for (place, number), example in zip(numbers, examples):
        if place is not None and number and place - shift >= len(example.choices):
            reader.reject(example.origin, f"label {place}", f"a place from 0 to {len(example.choices) - 1}")
            continue
        values = {**vars(example), "label": place - shift} if place is not None and number else vars(example)
        result.append(ChoiceExample(**values))
    return result
