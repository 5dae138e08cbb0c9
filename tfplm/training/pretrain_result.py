"""What a pre-training gives back."""

import dataclasses
from pathlib import Path

import keras


@dataclasses.dataclass(frozen=True)
class PretrainResult:
    """A finished (or, by `minutes`, stopped) pre-training.

    Attributes:
        output: the model's folder: `config.json`, `model.safetensors`, the tokenizer's files, `pretrain.json` (the
            options), `results.json` (the numbers below).
        model, tokenizer: what was saved there; the model has the head of its objective.
        log_dir: of the TensorBoard event files.
        metrics: on the held-out text, `OBJECTIVE_loss` (nats), `OBJECTIVE_accuracy`, and for language models
            `OBJECTIVE_perplexity`; empty without a held-out text.
        baselines: the same keys, for the best answer that knows the labels' frequencies only.
        steps, tokens: updates, and real tokens (padding not counted) of the whole training.
        tokens_per_second: of this run, compilation and evaluations not counted; 0 where no step was left.
        padding: share of the places in the batches that were padding.
        parameters: of the saved model.
    """

    output: Path
    model: keras.Model
    tokenizer: object
    log_dir: Path
    metrics: dict[str, float]
    baselines: dict[str, float]
    steps: int
    tokens: int
    tokens_per_second: float
    padding: float
    parameters: int
