"""The task interface: examples, features, loss, predictions, scores."""

import abc
import dataclasses
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tfplm.data.batches.batching import Pad, token_pads
from tfplm.data.tasks.labels import LabelMap
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskSettings:
    """What a saved model must remember of its task; numbers are tokens unless said.

    max_length, stride: of a row, and the overlap of rows where a text is cut into several. label_kind: of texts, one
    class, several, or a number. pairs: whether texts come in pairs; both_orders: of them. crf: of tags.
    language: whose words the scores count ("en", ...). null_answers: whether questions may have no answer;
    min_null_gap: how much better the empty one must then be. n_best: how many answers a prediction lists.
    """

    max_length: int = 128
    stride: int = 64
    label_kind: str = "class"
    pairs: bool = False
    both_orders: bool = False
    crf: bool = False
    label_smoothing: float = 0.0
    class_weights: str = "none"
    max_answer_length: int = 30
    max_query_length: int = 64
    null_answers: bool = False
    min_null_gap: float = 0.0
    n_best: int = 1
    max_target_length: int = 64
    num_beams: int = 1
    language: str = "en"


class Task(abc.ABC):
    """Examples -> features -> (head, loss) -> outputs -> predictions -> scores.

    Attributes: `kind`, of the examples; `head`, of the model; `monitor`, the score that chooses the best weights, the
    larger the better; `shown`, the scores that are worth a line; `labels`, a `LabelMap` or None. A feature is a dict of
    int32 arrays, `input_ids [T]` and what else the model takes, and `example`, the place of its example. `targets` are
    the keys that the model does not take: labels, and what `decode` needs.
    """

    name = kind = head = monitor = ""
    targets: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    token_targets: tuple[str, ...] = ()  # the targets that have a value for each token
    per_token = False  # whether the model has outputs for each token

    def __init__(self, tokenizer: Tokenizer, settings: TaskSettings | None = None, labels: LabelMap | None = None):
        self.tokenizer, self.settings, self.labels = tokenizer, settings or TaskSettings(), labels

    @property
    def num_labels(self) -> int | None:
        return None if self.labels is None else len(self.labels.names)

    @property
    def pads(self) -> dict[str, Pad]:
        """How features are padded, see `collate`."""
        return token_pads(self.tokenizer.pad_token_id or 0, also=self.token_targets)

    def learn(self, examples: Sequence) -> None:  # noqa: B027 (choices and target texts have nothing to learn)
        """Learns the labels of the training examples; those already known keep their places."""

    def config_changes(self) -> dict:
        """Fields of the model's `Config` that the task sets."""
        return {} if self.labels is None else {"id2label": dict(enumerate(self.labels.names))}

    @abc.abstractmethod
    def features(self, examples: Sequence, labelled: bool) -> list[dict]:
        """Features of examples; with `labelled` each has its targets, and examples without any are an error."""

    def split(self, batch: dict) -> tuple:
        """A batch of features -> `(x, y, sample_weight)` for Keras' `fit`."""
        (target,) = self.targets
        y = batch.pop(target)
        return batch, y, np.ones(len(y), np.float32)

    def init_head(self, head: keras.layers.Layer, features: Sequence[dict]) -> None:  # noqa: B027 (most are random)
        """Sets what a fresh head should know before it is trained on these features."""

    @abc.abstractmethod
    def loss(self, model: keras.Model):
        """The loss for `compile`."""

    def metrics(self) -> list:
        """Keras metrics of the running training; the scores of an evaluation are `score`'s."""
        return []

    def outputs(self, model: keras.Model, features: list[dict], inference: Callable, progress=None) -> list:
        """What the model gives for each feature. `inference`: an `Inference` of the model."""
        return inference(features, self.targets, progress, self.per_token)

    @abc.abstractmethod
    def decode(self, outputs: list, features: list[dict], examples: Sequence, model: keras.Model) -> list[dict]:
        """What the model gave for each feature (in NumPy, without padding) -> a prediction for each example, as a dict
        of JSON values."""

    def predict(self, model: keras.Model, examples: Sequence, inference: Callable, features: list[dict] | None = None,
                progress=None) -> list[dict]:
        """A prediction for each example, as `decode` makes them. features: of the examples, where they are there."""
        if features is None:
            features = self.features(examples, labelled=False)
        outputs = self.outputs(model, features, inference, progress)
        return self.decode(outputs, features, examples, model)

    @abc.abstractmethod
    def score(self, predictions: list[dict], examples: Sequence) -> dict[str, float]:
        """Scores of predictions against labelled examples; from 0 to 1, or the metric's usual range."""

    def pictures(self, predictions: list[dict], examples: Sequence) -> dict[str, np.ndarray]:
        """Images (uint8 [H,W,3]) that show the scores, by their tags in TensorBoard."""
        return {}


def require_labels(examples: Sequence, field: str = "label") -> None:
    """Raises a ValueError that names the first example without a label."""
    for example in examples:
        if getattr(example, field) is None:
            raise ValueError(f"{example.origin or 'an example'}: no {field}, but one is needed for training and "
                             "evaluation: does the file have that column?")
