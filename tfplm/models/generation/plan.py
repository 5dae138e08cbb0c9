"""The plan for which a generation program is compiled, and the tensors that are passed to each call."""

import dataclasses

import numpy as np

from tfplm.core.config import Config
from tfplm.models.generation.prompts import bucket
from tfplm.options.generate import GenerationOptions

RULES = ("repetition_penalty", "temperature", "min_p", "top_p", "typical_p")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The settings that determine the operations; all others are tensors, whose change needs no compilation.

    Attributes:
        rules: names of the active rules.
        new: number of columns for new tokens.
        copies: number of rows for each prompt.
        keep: minimum number of tokens that the filters of sampling keep.
        fill: id of the token that fills a row after its end.
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
    """The plan of `options`, and the tensors with which its program is called."""
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
    """The ids of `eos`, `forced_bos`, `forced_eos` and `pad`: those of the options, or else of the configuration.

    Raises ValueError for an id outside the vocabulary.
    """
    def chosen(name):
        value = getattr(options, name)
        value = getattr(config, name, None) if value is None else value
        values = [] if value is None else [value] if isinstance(value, int) else list(value)
        for token in values:
            if token != -1 and not 0 <= token < config.vocab_size:
                raise ValueError(f"{name} is {token}; expected an id from 0 to {config.vocab_size - 1}, the vocabulary "
                                 "of the model, or -1 for none")
        return [token for token in values if token != -1]

    ids = {name: chosen(f"{name}_token_id") for name in ("eos", "forced_bos", "forced_eos", "pad")}
    ids["pad"] = ids["pad"] or ids["eos"][:1] or [0]
    return ids
