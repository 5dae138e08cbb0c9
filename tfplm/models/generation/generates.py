"""The method `generate` of models."""

import dataclasses

import numpy as np

from tfplm.core.config import reject_unknown
from tfplm.models.generation.plan import make_plan
from tfplm.options.generate import GenerationOptions


class Generates:
    """Mixin that adds `generate` to a model with a key-value cache, which has

        read_prompts(batch, options)    the inputs of the program, and the `Prompts`: one of `generation.inputs`
        decoding_stack                  the stack whose keys and values are cached
        step(...)                       hidden states of new tokens, see `Encoder`
    """

    def generate(self, batch, on_token=None, return_scores: bool = False, jit_compile: bool | None = None, **options):
        """Generates text for a batch of prompts.

        Args:
            batch: dict of `input_ids` int32 `[B,T]` and `attention_mask`, or only the ids. Prompts of different lengths
                can be padded on either side. Encoder-decoders also accept `decoder_input_ids`, which are continued.
            on_token: function that is called after each step with the new tokens, int32 `[B * num_return_sequences]`,
                with the padding token for rows that have ended; if it returns False, generation stops. Not available
                with beam search.
            return_scores: with beam search, also return log-probability / length ** length_penalty, float32 `[rows]`.
            jit_compile: use XLA; None: if it is expected to be faster.
            options: fields of `tfplm.options.generate.GenerationOptions`, such as `max_new_tokens=20`.

        Returns:
            int32 array. Decoders: `[B * num_return_sequences, T + new]`, the prompts with their continuations;
            encoder-decoders: `[B * num_return_sequences, 1 + new]`, starting with the decoder's start token. `new` is
            the length of the longest continuation. Shorter rows are filled with the padding token, or with the end
            token if there is none. Prompts padded on the left keep their padding; if prompts are padded on the right,
            each continuation directly follows its prompt, and the padding is at the end of the row.

        Raises:
            ValueError: the model has no language model's head, or attends to later tokens; a prompt is empty, has an id
                outside the vocabulary, or exceeds the model's positions together with `max_new_tokens`; an option is
                out of its range.
            TypeError: an unknown option.
        """
        from tfplm.models.generation.program import choose_compiler, program

        options = _options(options)
        _check(options, on_token, return_scores)
        inputs, prompts = self.read_prompts(batch, options)
        rows = len(prompts.ids) * max(options.num_beams, options.num_return_sequences)
        plan, numbers = make_plan(self.config, options, choose_compiler(self, rows, jit_compile))
        compiled = program(self, plan)
        state, cache, rows = compiled.start(inputs, numbers)
        weights = compiled.weights()
        if on_token is None:
            state, cache = compiled.proceed(state, cache, rows, numbers, numbers["limit"], weights)
        else:
            state = _stream(compiled, on_token, (state, cache, rows), numbers, weights)
        found = compiled.method.result(plan, state, options.num_return_sequences)
        new = np.asarray(found["new"])[:, :int(found["length"])]
        sequences = prompts.with_new(new, plan.fill)
        return (sequences, np.asarray(found["scores"])) if return_scores else sequences


def _options(values: dict) -> GenerationOptions:
    try:
        reject_unknown(values, {field.name for field in dataclasses.fields(GenerationOptions)}, "option of generate")
    except ValueError as error:
        raise TypeError(str(error)) from None
    values = dict(values)
    if values.get("do_sample") and values.get("seed") is None:
        values["seed"] = int(np.random.default_rng().integers(2 ** 31))
    return GenerationOptions(**values)


def _check(options: GenerationOptions, on_token, return_scores: bool) -> None:
    if options.num_beams > 1 and on_token is not None:
        raise ValueError(f"num_beams is {options.num_beams} with on_token; expected 1, as the tokens of beam search "
                         "are known only at the end: omit on_token, or set num_beams=1")
    if options.num_beams == 1 and return_scores:
        raise ValueError("num_beams is 1 with return_scores; expected 2 or more, as scores are those of beam search")


def _stream(compiled, on_token, parts: tuple, numbers: dict, weights) -> dict:
    """Generates token by token, and calls `on_token` with each, until it returns False."""
    state, cache, rows = parts
    while True:
        tokens, _ = compiled.method.last_tokens(compiled.plan, state)
        step = int(state["step"])
        if on_token(np.asarray(tokens)) is False:
            return state
        if not bool(compiled.method.continues(compiled.plan, numbers, state)):
            return state
        state, cache = compiled.proceed(state, cache, rows, numbers, np.int32(step + 1), weights)
