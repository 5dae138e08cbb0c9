"""Examples of labelled data, independent of file formats. `origin` is "file:line" for messages; labels may be None."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextExample:
    """A text or a pair of texts, with a class (str), several classes (tuple of str), a number (float), or None."""

    text: str
    pair: str | None = None
    label: str | tuple[str, ...] | float | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class TaggedExample:
    """The words of a sentence (in Chinese its characters) and a tag for each, such as B-LOC, I-LOC, O."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A span of the context; `start` is the index of its first character, -1 if unknown."""

    text: str
    start: int = -1


@dataclasses.dataclass(frozen=True)
class QuestionExample:
    """A question about a context. `answers`: the annotated answers; empty if `impossible` or without labels."""

    question: str
    context: str
    answers: tuple[Answer, ...] = ()
    impossible: bool = False
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class ChoiceExample:
    """A text, its possible continuations or answers, and the index of the right one."""

    text: str
    choices: tuple[str, ...]
    label: int | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class TargetExample:
    """A text and its target text: a translation, summary or correction."""

    text: str
    target: str | None = None
    id: str = ""
    origin: str = ""
