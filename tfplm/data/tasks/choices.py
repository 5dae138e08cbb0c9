"""Multiple-choice examples from table rows, in the layouts of SWAG, HellaSwag, RACE, ARC, COPA, C3 and similar sets."""

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
    """Builds multiple-choice examples.

    A label is an index (from 0; or from 1 if no row has a 0 and some label is past the end), a letter, one of the
    choices' own labels (ARC), or the text of the choice.

    If there are both a context and a question, each choice is appended to the question, or fills its `_` (RACE).
    """
    columns = _columns(table, reader)
    reader.report.columns.update({role: str(column) for role, column in columns.items() if column})
    examples, indices = [], []
    for row in table.rows:
        choices = _choices(row, columns)
        text, question = (str(row.values.get(columns[role]) or "") for role in ("text", "question"))
        if choices is None or len(choices[0]) < 2:
            reader.reject(row.origin, f"choices {shorten([row.values.get(c) for c in columns['choices']])}",
                          "at least two texts to choose from")
            continue
        texts, names = choices
        label = row.values.get(columns["label"])
        index = None
        if columns["label"] is not None and not _unlabelled(label):
            index = _index(label, texts, names)
            if index is None:
                reader.reject(row.origin, f"label {shorten(label)}", f"an index from 0 to {len(texts) - 1}, a letter "
                              f"from A to {chr(64 + len(texts))}, or one of the choices")
                continue
        if columns["text"] and columns["question"]:
            texts = [join_question(question, choice) for choice in texts]
        reader.report.empty_texts += not (text or question).strip()
        indices.append((index, _is_index(label) and not names))
        examples.append(ChoiceExample(text if columns["text"] else question, tuple(texts), index,
                                      str(row.values.get(columns["id"]) or ""), row.origin))
    return _from_zero(examples, indices, reader)


def join_question(question: str, choice: str) -> str:
    """Fills the blank (`_`) of the question with the choice, or appends the choice; Chinese is joined without a space.
    """
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
    """The texts of the choices and, if given, their own labels."""
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


def _is_index(label: Any) -> bool:
    return str(label).strip().isdecimal() and not isinstance(label, bool)


def _index(label: Any, texts: list[str], names: list[str]) -> int | None:
    label = str(label).strip()
    if label in names:
        return names.index(label)
    if label.isdecimal() and int(label) <= len(texts):
        return int(label)
    if len(label) == 1 and 0 <= ord(label.upper()) - 65 < len(texts):
        return ord(label.upper()) - 65
    return texts.index(label) if texts.count(label) == 1 else None


def _from_zero(examples: list[ChoiceExample], indices: list[tuple[int | None, bool]], reader: Reader
               ) -> list[ChoiceExample]:
    """Shifts labels that count from 1 to count from 0; an index still past the end makes a bad row.

    indices: (index, True if the label was given as an index) of each example.
    """
    plain = [(index, len(example.choices)) for (index, given), example in zip(indices, examples) if given]
    past = any(index >= count for index, count in plain if index is not None)
    if not past:
        return examples
    shift = int(all(index != 0 for index, _ in plain))
    result = []
    for (index, given), example in zip(indices, examples):
        if index is not None and given and index - shift >= len(example.choices):
            reader.reject(example.origin, f"label {index}", f"an index from 0 to {len(example.choices) - 1}")
            continue
        values = {**vars(example), "label": index - shift} if index is not None and given else vars(example)
        result.append(ChoiceExample(**values))
    return result
