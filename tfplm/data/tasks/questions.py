"""Question-answering examples from table rows (SQuAD 1.1 and 2.0, CMRC 2018, and flat layouts of the same)."""

import logging
from typing import Any

from tfplm.data.tasks.columns import IDS, first_named, resolve
from tfplm.data.tasks.examples import Answer, QuestionExample
from tfplm.data.tasks.reading import Reader, Table, shorten

log = logging.getLogger(__name__)
_QUESTIONS = ("question", "query", "问题")
_CONTEXTS = ("context", "passage", "paragraph", "document", "text", "文章", "原文")
_ANSWERS = ("answers", "answer", "answer_text", "答案")
_STARTS = ("answer_start", "start", "start_position")


def question_examples(table: Table, reader: Reader) -> list[QuestionExample]:
    """Builds questions from columns `question`, `context`, `answers` (SQuAD's lists, or a string and `answer_start`).

    A wrong start of an answer is corrected if the answer occurs in the context exactly once, else it becomes -1. Rows
    without question or context are bad rows.
    """
    columns = _columns(table, reader)
    reader.report.columns.update({role: column for role, column in columns.items() if column})
    examples, counts = [], {"moved": 0, "lost": 0}
    for row in table.rows:
        value = {role: row.get(column) for role, column in columns.items() if column}
        missing = [role for role in ("question", "context") if not isinstance(value.get(role), str)]
        if missing:
            reader.reject(row.origin, f"no text in {columns[missing[0]]!r}", "a question and its context")
            continue
        answers: tuple[Answer, ...] | None = None
        if value.get("answers") is not None:
            found = _answers(value["answers"], value.get("start"))
            if found is None:
                reader.reject(row.origin, f"answers {shorten(value['answers'])}", "a list of {text, answer_start}")
                continue
            answers = tuple(_placed(answer, value["context"], counts) for answer in found)
        impossible = value.get("impossible")
        impossible = answers == () if impossible is None else str(impossible).lower() in ("true", "1")
        reader.report.empty_texts += not value["question"].strip()
        examples.append(QuestionExample(value["question"], value["context"], () if impossible else answers or (),
                                        impossible, str(value.get("id") or ""), row.origin))
    if counts["moved"] or counts["lost"]:
        log.info("%s: the start of %d answers was corrected; %d answers occur in their context not at all or several "
                 "times", table.name, counts["moved"], counts["lost"])
    return examples


def _columns(table: Table, reader: Reader) -> dict[str, str | None]:
    reading, names = reader.reading, table.columns
    columns = {"question": reading.text_column, "context": reading.pair_column, "answers": reading.target_column,
               "id": reading.id_column}
    flags = {"question": "text-column", "context": "pair-column", "answers": "target-column", "id": "id-column"}
    columns = {role: given and resolve(given, table, flags[role]) for role, given in columns.items()}
    known = {"question": _QUESTIONS, "context": _CONTEXTS, "answers": _ANSWERS, "id": IDS, "start": _STARTS,
             "impossible": ("is_impossible", "impossible")}
    columns = {role: columns.get(role) or first_named(names, some) for role, some in known.items()}
    for role in ("question", "context"):
        if columns[role] is None:
            raise ValueError(f"{table.name}: no {role} among the columns {', '.join(names)}; give --{flags[role]}")
    return columns


def _answers(value: Any, start: Any) -> list[Answer] | None:
    """Answers in any of the layouts; None for anything else. An empty string is not an answer."""
    if isinstance(value, dict) and isinstance(value.get("text"), (list, tuple)):
        starts = value.get("answer_start")
        value = [{"text": text, "answer_start": at} for text, at in
                 zip(value["text"], [-1] * len(value["text"]) if starts is None else starts)]
    elif isinstance(value, (str, dict)):
        value = [value] if value else []
    if not isinstance(value, (list, tuple)):
        return None
    answers = []
    for answer in value:
        if isinstance(answer, str):
            answer = {"text": answer, "answer_start": start if len(value) == 1 else None}
        if not isinstance(answer, dict) or not isinstance(answer.get("text"), str):
            return None
        if answer["text"]:
            answers.append(Answer(answer["text"], _integer(answer.get("answer_start"))))
    return answers


def _integer(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1


def _placed(answer: Answer, context: str, counts: dict[str, int]) -> Answer:
    if answer.start >= 0 and context.startswith(answer.text, answer.start):
        return answer
    start = context.find(answer.text)
    if start >= 0 and context.find(answer.text, start + 1) < 0:
        counts["moved"] += 1
        return Answer(answer.text, start)
    counts["lost"] += 1
    return Answer(answer.text, -1)
