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
    """The settings of a task that are saved with the model; lengths are in tokens.

    max_length, stride: length of a row, and overlap of the rows of a text that is split. label_kind: "class", "multi"
    (several classes) or "number". pairs: True if examples are pairs of texts; both_orders: encode each pair in both
    orders. crf: tagging with a CRF. label_smoothing, class_weights: of the loss. null_answers: True if questions may
    have no answer; min_null_gap: by how much the score of the empty answer must exceed that of the best other one.
    n_best: number of answers in a prediction. num_beams: 1 for greedy search. language: determines how scores split
    texts into words ("en", "zh", ...).
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

    Attributes: `kind`, the kind of examples; `head`, the model's head; `monitor`, the score that selects the best
    weights (larger is better); `shown`, the scores that are printed; `labels`, a `LabelMap` or None. A feature is a
    dict of int32
    arrays: `input_ids [T]` and the other inputs of the model, and `example`, the index of its example. `targets` are
    the keys that are not inputs of the model: labels, and keys that `decode` needs.
    """

    name = kind = head = monitor = ""
    targets: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    token_targets: tuple[str, ...] = ()  # the targets with a value for each token
    per_token = False  # True if the model has outputs for each token

    def __init__(self, tokenizer: Tokenizer, settings: TaskSettings | None = None, labels: LabelMap | None = None):
        self.tokenizer, self.settings, self.labels = tokenizer, settings or TaskSettings(), labels

    @property
    def num_labels(self) -> int | None:
        return None if self.labels is None else len(self.labels.names)

    @property
    def pads(self) -> dict[str, Pad]:
        """The padding of the features, see `collate`."""
        return token_pads(self.tokenizer.pad_token_id or 0, also=self.token_targets)

    def learn(self, examples: Sequence) -> None:  # noqa: B027 (choices and target texts have no labels to learn)
        """Learns the labels of the training examples; known labels keep their ids."""

    def config_changes(self) -> dict:
        """Fields of the model's `Config` that the task sets."""
        return {} if self.labels is None else {"id2label": dict(enumerate(self.labels.names))}

    @abc.abstractmethod
    def features(self, examples: Sequence, labelled: bool) -> list[dict]:
        """The features of examples; with `labelled=True` with their targets, and ValueError if an example has none."""

    def split(self, batch: dict) -> tuple:
        """A batch of features -> `(x, y, sample_weight)` for Keras' `fit`."""
        (target,) = self.targets
        y = batch.pop(target)
        return batch, y, np.ones(len(y), np.float32)

    def init_head(self, head: keras.layers.Layer, features: Sequence[dict]) -> None:  # noqa: B027 (most are random)
        """Initializes a new head from the features that it will be trained on."""

    @abc.abstractmethod
    def loss(self, model: keras.Model):
        """The loss for `compile`."""

    def metrics(self) -> list:
        """Keras metrics during training; `score` computes the scores of an evaluation."""
        return []

    def outputs(self, model: keras.Model, features: list[dict], inference: Callable, progress=None) -> list:
        """The model's outputs for each feature. inference: an `Inference` of the model."""
        return inference(features, self.targets, progress, self.per_token)

    @abc.abstractmethod
    def decode(self, outputs: list, features: list[dict], examples: Sequence, model: keras.Model) -> list[dict]:
        """The model's outputs for each feature (NumPy, without padding) -> a prediction for each example, a dict of
        JSON values."""

    def predict(self, model: keras.Model, examples: Sequence, inference: Callable, features: list[dict] | None = None,
                progress=None) -> list[dict]:
        """A prediction for each example, as `decode` makes it. features: those of the examples, if already computed."""
        if features is None:
            features = self.features(examples, labelled=False)
        outputs = self.outputs(model, features, inference, progress)
        return self.decode(outputs, features, examples, model)

    @abc.abstractmethod
    def score(self, predictions: list[dict], examples: Sequence) -> dict[str, float]:
        """Scores of predictions on labelled examples, from 0 to 1 or in the metric's usual range."""

    def pictures(self, predictions: list[dict], examples: Sequence) -> dict[str, np.ndarray]:
        """Images of the scores: TensorBoard tag -> uint8 [H,W,3]."""
        return {}


def require_labels(examples: Sequence, field: str = "label") -> None:
    """Raises ValueError, which names the first example without a label."""
    for example in examples:
        if getattr(example, field) is None:
            raise ValueError(f"{example.origin or 'an example'}: no {field}; expected one for training and evaluation: "
                             "check that the file has this column")
