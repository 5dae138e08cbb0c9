"""Prediction with a fine-tuned model."""

import os
import sys
import unicodedata
from collections.abc import Sequence

from tfplm.adapt.finetune.inference import Inference, task_session
from tfplm.adapt.finetune.result import open_task
from tfplm.adapt.tasks.task import Task
from tfplm.data.tasks.read import read_examples
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.cache import Backend, backend_of
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import open_source
from tfplm.training.loop.progress import Line

_INVISIBLE = ("Mn", "Me", "Mc", "Cf", "Cc")  # marks and control characters


class Predictor:
    """A model that `tfplm finetune` wrote, ready to predict: `Predictor.from_pretrained("model").predict(["文本", ...])`.

    Attributes: `model`, `task` (with `tokenizer` and `labels`).
    """

    def __init__(self, model: PretrainedModel, task: Task, backend: Backend | None = None):
        self.model, self.task = model, task
        self._inference = Inference(model, task.pads, session=task_session(model, backend, task.settings.both_orders))

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike, dtype: str | None = "auto", backend: str = "tensorflow",
                        precision: str | None = None, **settings) -> "Predictor":
        """Loads a folder that a fine-tuning wrote. Raises FileNotFoundError if it has no task.

        Args:
            dtype: of weights and computation; "auto": bfloat16 where that is faster than float32, see `tfplm info`.
            backend, precision: the program that runs the model, as for `SentenceEncoder.from_pretrained`; not for models
                that write texts.
            settings: fields of `TaskSettings` that replace the saved ones, such as `n_best=5` or `num_beams=4`.
        """
        source = open_source(source)
        task = open_task(source, **settings)
        program = backend_of(backend, precision, source, dtype)
        return cls(from_pretrained(source, task.head, dtype="float32" if program else dtype), task, program)

    def examples(self, source) -> list:
        """Examples from anything that `read_examples` accepts, or from plain texts; for tagging, a text is split into
        words (see `words_of`)."""
        if not isinstance(source, str | os.PathLike):
            source = [self._plain(item) for item in source]
        return read_examples(source, self.task.kind)

    def _plain(self, item):
        if not isinstance(item, str):
            return item
        return (words_of(item), None) if self.task.kind == "tagging" else (item, None)

    def predict(self, source, progress: str | None = None) -> list[dict]:
        """A prediction for each example, as `task.decode` makes it.

        source: a list of texts, of tuples (text, pair, None), (words, None), (question, context), or of examples.
        progress: the title of a progress line on standard error; None for no line.
        """
        return self.predict_examples(self.examples(source), progress)

    def predict_examples(self, examples: Sequence, progress: str | None = None) -> list[dict]:
        """The same for examples of `tfplm.data.tasks.examples`."""
        line = None if progress is None else Line(progress, len(examples), sys.stderr, 60.0, False)
        predictions = self.task.predict(self.model, examples, self._inference, progress=line)
        if line is not None:
            line.close({}, lambda: {"examples": len(examples)})
        return predictions


def words_of(text: str) -> tuple[str, ...]:
    """The words of a plain text: separated by spaces, and each Chinese, Japanese or Korean character on its own.

    Marks, such as the variation selector of an emoji, and invisible characters belong to the character before them, or at
    the start of a word to the one after them, because most tokenizers drop them as words of their own.
    """
    words: list[str] = []
    before = "space"  # what the last word is open for: a "mark" takes anything, a "letter" takes letters and marks
    for character in text:
        kind = "letter"
        if character.isspace():
            before = "space"
            continue
        if unicodedata.category(character) in _INVISIBLE:
            kind = "mark"
        elif "\u2e80" <= character <= "\u9fff" or "\uac00" <= character <= "\ud7a3" or character >= "\uf900":
            kind = "alone"
        if before == "space" or (kind, before) in (("alone", "alone"), ("alone", "letter"), ("letter", "alone")):
            words.append(character)
        else:
            words[-1] += character
        if kind != "mark" or before == "space":
            before = kind
    return tuple(words)
