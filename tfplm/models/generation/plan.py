"""What a generating program is compiled for, and the numbers that it is given anew in each call."""

import dataclasses

import numpy as np

from tfplm.core.config import Config
from tfplm.models.generation.prompts import bucket
from tfplm.options.generate import GenerationOptions

RULES = ("repetition_penalty", "temperature", "min_p", "top_p", "typical_p")


@dataclasses.dataclass(frozen=True)
class Plan:
    """Decides on the operations; everything else are tensors, so that a change of them compiles nothing.

    Attributes:
        rules: names of the rules that are in force. new: columns for new tokens.
        copies: rows of each prompt. keep: tokens that the filters of sampling leave at least.
        fill: what stands behind the end of a row.
        jit_compile, rowwise: see `program.choose_compiler`.
    """

    rules: frozenset[str]
    new: int
    copies: int
    num_beams: int
    do_sample: bool
    top_k: int | None
    no_repeat_ngram_size: int
    early_stopping: str
    keep: int
    fill: int
    jit_compile: bool
    rowwise: bool


def make_plan(config: Config, options: GenerationOptions,
              compiler: tuple[bool, bool]) -> tuple[Plan, dict[str, np.ndarray]]:
    """The plan of `options`, and the tensors that its program is called with."""
    ids = special_ids(config, options)
    numbers = {"limit": np.int32(options.max_new_tokens), "seed": np.int32((options.seed or 0) & 0x7FFFFFFF)}
    rules = set()
    for name in RULES:
        value = getattr(options, name)
        if value is not None and value != (0 if name == "min_p" else 1):
            rules.add(name)
            numbers[name] = np.float32(value)
    for name in ("eos", "forced_bos", "forced_eos"):
        if ids[name]:
            rules.add(name)
            numbers[name] = np.array(ids[name], np.int32)
    if options.min_new_tokens and ids["eos"]:
        rules.add("min_new_tokens")
        numbers["min_new_tokens"] = np.int32(options.min_new_tokens)
    if options.stop_sequences:
        rules.add("stop_sequences")
        width = max(map(len, options.stop_sequences))
        numbers["stop_sequences"] = np.array([[-1] * (width - len(s)) + s for s in options.stop_sequences], np.int32)
    if options.num_beams > 1:
        numbers["length_penalty"] = np.float32(options.length_penalty)
    keep = 1 if options.num_beams == 1 else max(2, len(ids["eos"]) + 1)
    copies = options.num_beams if options.num_beams > 1 else options.num_return_sequences
    plan = Plan(frozenset(rules), bucket(options.max_new_tokens), copies, options.num_beams, options.do_sample,
                options.top_k, options.no_repeat_ngram_size, options.early_stopping, keep, ids["pad"][0], *compiler)
    return plan, numbers


def special_ids(config: Config, options: GenerationOptions) -> dict[str, list[int]]:
    """`eos`, `forced_bos`, `forced_eos`, `pad`: the options' tokens, else the configuration's.

    Raises:
        ValueError: an id outside the vocabulary.
    """
    def chosen(name):
        value = getattr(options, name)
        value = getattr(config, name, None) if value is None else value
        values = [] if value is None else [value] if isinstance(value, int) else list(value)
        for number in values:
            if number != -1 and not 0 <= number < config.vocab_size:
                raise ValueError(f"{name} is {number}, but the vocabulary has the ids 0 ... {config.vocab_size - 1}")
        return [number for number in values if number != -1]

    ids = {name: chosen(f"{name}_token_id") for name in ("eos", "forced_bos", "forced_eos", "pad")}
    ids["pad"] = ids["pad"] or ids["eos"][:1] or [0]
    return ids
