"""What labelled data are, whatever file they come from. `origin` is "file:line", for messages; labels may be missing."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TextExample:
    """A text or a pair, with a class (str), several classes (tuple of str), a number (float), or no label (None)."""

    text: str
    pair: str | None = None
    label: str | tuple[str, ...] | float | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class TaggedExample:
    """The words of a sentence (Chinese: its characters) and a tag for each, such as B-LOC, I-LOC, O."""

    words: tuple[str, ...]
    tags: tuple[str, ...] | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """A span of the context; `start` is its first character, -1 where the data do not say."""

    text: str
    start: int = -1


@dataclasses.dataclass(frozen=True)
class QuestionExample:
    """A question about a context. `answers`: what people answered; empty with `impossible` or without labels."""

    question: str
    context: str
    answers: tuple[Answer, ...] = ()
    impossible: bool = False
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class ChoiceExample:
    """A text, what may follow or answer it, and the place of the right one."""

    text: str
    choices: tuple[str, ...]
    label: int | None = None
    id: str = ""
    origin: str = ""


@dataclasses.dataclass(frozen=True)
class TargetExample:
    """A text and what is to be written for it: its translation, summary, correction."""

    text: str
    target: str | None = None
    id: str = ""
    origin: str = ""
