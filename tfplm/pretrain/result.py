"""The result of a pre-training, and its report."""

import dataclasses
import math
from pathlib import Path

import keras

from tfplm.core.outputs import command
from tfplm.pretrain.baselines import of_rate
from tfplm.pretrain.objectives.objective import Part


@dataclasses.dataclass(frozen=True)
class PretrainResult:
    """The result of a pre-training that has finished or was stopped by `minutes`.

    Attributes:
        output: the model's folder, with `config.json`, `model.safetensors`, the tokenizer's files, `pretrain.json` (the
            options) and `results.json` (the numbers below).
        model, tokenizer: the model and the tokenizer that were saved there; the model has the head of its objective.
        log_dir: the folder of the TensorBoard event files.
        metrics: on the held-out text, `OBJECTIVE_loss` (nats), `OBJECTIVE_accuracy`, and for language models
            `OBJECTIVE_perplexity`; empty without held-out text.
        baselines: the same keys, for the best constant prediction, given only the frequencies of the labels.
        steps, tokens: updates and real tokens (without padding) of the whole training.
        tokens_per_second: speed of this run, without compilation and evaluations; 0 if no step was left.
        padding: fraction of the positions in the batches that were padding.
        parameters: number of parameters of the saved model.
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
    """The values with `PART_perplexity` = e^loss for each language model among the parts."""
    return values | {f"{part.name}_perplexity": math.exp(min(values[f"{part.name}_loss"], 700.0)) for part in parts
                     if part.perplexity and f"{part.name}_loss" in values}


def split_rates(values: dict[str, float], baselines: dict[str, float], parts: tuple[Part, ...]):
    """(metrics, baselines), where the class frequencies of labels that the model made itself have become baselines."""
    values, baselines = dict(values), dict(baselines)
    for part in parts:
        if (rate := values.pop(f"{part.name}_replaced", None)) is not None:
            baselines |= of_rate(part.name, rate)
    return values, baselines


def report(result: PretrainResult) -> str:
    """A table of the held-out metrics next to their baselines, and parameters, steps, speed and padding."""
    lines = []
    if result.metrics:
        lines.append(f"{'on held-out text':28s} {'model':>10s} {'baseline':>10s}")
        for name, value in result.metrics.items():
            base = result.baselines.get(name)
            lines.append(f"  {name.replace('_', ' '):26s} {value:10.4f} " + (f"{base:10.4f}" if base is not None else ""))
    else:
        lines.append("no held-out text: the model was not evaluated")
    speed = f", {result.tokens_per_second:,.0f} tokens/s" if result.tokens_per_second else ""
    lines.append(f"{result.parameters:,} parameters, {result.steps:,} steps, {result.tokens:,} tokens, "
                 f"{result.padding:.1%} padding{speed}")
    lines.append(f"model: {result.output}")
    lines.append(f"summaries: {command('tensorboard', '--logdir', result.log_dir)}")
    return "\n".join(lines)
