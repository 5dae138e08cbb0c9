"""What a pre-training gives back."""

import dataclasses
import math
from pathlib import Path

import keras

from tfplm.pretrain.baselines import of_rate
from tfplm.pretrain.objectives.objective import Part


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


def with_perplexity(values: dict[str, float], parts: tuple[Part, ...]) -> dict[str, float]:
    """`PART_perplexity` = e^loss for the language models among the parts."""
    return values | {f"{part.name}_perplexity": math.exp(min(values[f"{part.name}_loss"], 700.0)) for part in parts
                     if part.perplexity and f"{part.name}_loss" in values}


def split_rates(values: dict[str, float], baselines: dict[str, float], parts: tuple[Part, ...]):
    """(metrics, baselines): the shares of labels that the model made itself become baselines."""
    values, baselines = dict(values), dict(baselines)
    for part in parts:
        if (rate := values.pop(f"{part.name}_replaced", None)) is not None:
            baselines |= of_rate(part.name, rate)
    return values, baselines


def report(result: PretrainResult) -> str:
    """A table: held-out loss, accuracy and perplexity beside the baseline, parameters, speed, padding."""
    lines = []
    if result.metrics:
        lines.append(f"{'on held-out text':28s} {'model':>10s} {'baseline':>10s}")
        for name, value in result.metrics.items():
            base = result.baselines.get(name)
            lines.append(f"  {name.replace('_', ' '):26s} {value:10.4f} " + (f"{base:10.4f}" if base is not None else ""))
    else:
        lines.append("no held-out text: nothing was evaluated")
    lines.append(f"{result.parameters:,} parameters, {result.steps:,} steps, {result.tokens:,} tokens, "
                 f"{result.padding:.1%} padding, {result.tokens_per_second:,.0f} tokens/s")
    lines.append(f"model: {result.output}")
    lines.append(f"summaries: tensorboard --logdir {result.log_dir}")
    return "\n".join(lines)
