"""Models with a classifying head over texts or pairs: those of `tfplm finetune`, and of other programs."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np

from tfplm.adapt.finetune.inference import Inference, task_session
from tfplm.adapt.finetune.result import has_task, open_task
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification, MultiLabel, Regression, TextTask
from tfplm.data.batches.batching import Pad, collate
from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.labels import LabelMap
from tfplm.embed.encoder.rows import round_width
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.cache import Backend, backend_of
from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.counting import count_parameters
from tfplm.models.pretrained.source import Source, open_source
from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.devices import use_devices
from tfplm.tokenizers import Tokenizer

UNLIMITED = 512  # tokens of a text where neither model nor tokenizer knows a limit
_WARM = (8, 16, 24, 32, 64)  # tokens of the texts that are encoded before the first request

Input = str | tuple[str, str]  # a text, or a pair


@dataclasses.dataclass(frozen=True)
class Predicted:
    """A prediction as the task's `decode` makes it, and the number of tokens that the model was given."""

    prediction: dict
    tokens: int


class TextTaskModel:
    """`predict(inputs)`: what the task's model predicts for each text or pair, whatever stands beside it in the batch.

    Batches have few shapes, each of which costs a compilation.

    Args:
        model: with the head `sequence_classification`. task: its task, with tokenizer, length and labels.
        backend: the program that runs the model in place of TensorFlow, or None.

    Attributes: `parameters` of the model; `warm_seconds` that `warm_up` took, or None.
    """

    def __init__(self, model: PretrainedModel, task: TextTask, backend: Backend | None = None):
        self.model, self.task = model, task
        self.parameters = count_parameters(model)
        self.warm_seconds: float | None = None
        self._inference = Inference(model, task.pads, collate=self._collate,
                                    session=task_session(model, backend, task.settings.both_orders))

    def predict(self, inputs: Sequence[Input]) -> list[Predicted]:
        """Pairs and single texts are encoded apart, since a task makes a pair of each text that stands beside pairs."""
        found: dict[int, Predicted] = {}
        for kind in (str, tuple):
            chosen = [index for index, each in enumerate(inputs) if isinstance(each, kind)]
            found |= zip(chosen, self._predict([inputs[index] for index in chosen]))
        return [found[index] for index in range(len(inputs))]

    def _predict(self, inputs: list[Input]) -> list[Predicted]:
        if not inputs:
            return []
        examples = [TextExample(each) if isinstance(each, str) else TextExample(*each) for each in inputs]
        features = self.task.features(examples, labelled=False)
        predictions = self.task.predict(self.model, examples, self._inference, features)
        return [Predicted(prediction, _tokens(feature)) for prediction, feature in zip(predictions, features)]

    def warm_up(self) -> None:
        """Encodes a text of each usual length."""
        start = time.perf_counter()
        for width in _WARM:
            self.predict(["a " * (width - 2)])
        self.warm_seconds = time.perf_counter() - start

    def _collate(self, examples: list[dict], width: int, pads: Mapping[str, Pad] | None) -> dict:
        """One of few numbers of rows, repeated ones at the end, which `Inference` does not read; one of few widths."""
        rows = examples + examples[:1] * (_round_rows(len(examples)) - len(examples))
        return collate(rows, max(width, min(round_width(width), self.task.settings.max_length)), pads)


def _round_rows(number: int) -> int:
    """The next of 1, 2, ..., 8, 16, 24, 32, 48, 64, 96, ..."""
    return number if number < 8 else round_width(number)


def _tokens(feature: dict) -> int:
    return int(feature["attention_mask"].sum()) if "attention_mask" in feature else len(feature["input_ids"])


def open_text_task(options: ServeOptions, number: int) -> TextTaskModel:
    """Loads the model of worker `number`: of a folder of `tfplm finetune`, or of one with a classifying head.

    ValueError where the folder has another task, or no trained classifier; FileNotFoundError where it is no model.
    """
    use_devices(options, number)
    source = open_source(options.source)
    path, task = source.path, open_task(source) if has_task(source) else None
    if task is not None and not isinstance(task, TextTask):
        raise ValueError(f"{path} is a model of the task {task.name}, expected one that predicts something of a whole text "
                         "(classification, multi-label, regression): tfplm predict opens it, --engine vectors serves "
                         "its vectors")
    backend = backend_of(options.backend, options.precision, source, options.dtype)
    model = from_pretrained(source, "sequence_classification", dtype="float32" if backend else options.dtype)
    if not _is_trained(model, source):
        raise ValueError(f"{path} has no trained classifier (its head: {source.head or 'none'}); expected a model that was "
                         "fine-tuned to classify texts: make one with tfplm finetune, or use --engine vectors")
    opened = TextTaskModel(model, task or _task_of(model, source), backend)
    _set_length(opened, options.max_seq_len)
    if options.warm_up:
        opened.warm_up()
    return opened


def _is_trained(model: PretrainedModel, source: Source) -> bool:
    """Whether the weights of the classifier were read."""
    if source.layout == "keras":
        return source.head == "sequence_classification"
    return not any(name.startswith("classifier") for name in model.loading_report.fresh)


def _task_of(model: PretrainedModel, source: Source) -> TextTask:
    """What the configuration states of a classifier that another program trained."""
    tokenizer = source.tokenizer()
    settings = TaskSettings(max_length=_limit(model, tokenizer))
    if model.num_labels == 1:
        return Regression(tokenizer, settings)
    names = model.config.id2label or {index: f"LABEL_{index}" for index in range(model.num_labels)}
    kind = MultiLabel if model.config.problem_type == "multi_label_classification" else Classification
    return kind(tokenizer, settings, LabelMap([names[index] for index in range(model.num_labels)]))


def _limit(model: PretrainedModel, tokenizer: Tokenizer) -> int:
    return model.config.row_limit(tokenizer.model_max_length) or UNLIMITED


def _set_length(opened: TextTaskModel, length: int | str | None) -> None:
    limit, task = _limit(opened.model, opened.task.tokenizer), opened.task
    if length is None:
        return
    most = limit if length == "NONE" else int(length)
    if most > limit:
        raise ValueError(f"max_seq_len is {most}, but the model has positions for {limit}: give at most so many")
    task.settings = dataclasses.replace(task.settings, max_length=most)


def require_finite(scores: list[float]) -> list[float]:
    """ValueError for NaN and infinity, which JSON does not have."""
    if not np.isfinite(scores).all():
        raise ValueError(f"the model's scores are {scores[:5]}, expected finite numbers: its weights, or their dtype, are "
                         "wrong")
    return scores
