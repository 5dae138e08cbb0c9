"""The numbers of a pre-training, with what they are worth: beside the trivial baseline."""

import math

from tfplm.training.objectives.objective import Part
from tfplm.training.pretrain_baselines import of_rate
from tfplm.training.pretrain_result import PretrainResult


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
