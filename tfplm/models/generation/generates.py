"""The method `generate` of the models."""

import dataclasses

import numpy as np

from tfplm.core.config import refuse_unknown
from tfplm.models.generation.plan import make_plan
from tfplm.options.generate import GenerationOptions


class Generates:
    """Adds `generate` to a model with a cache, which has

        read_prompts(batch, options)    what the program reads, and the `Prompts`: one of `generation.inputs`
        decoding_stack                  the stack whose keys and values are cached
        step(...)                       hidden states of new tokens, see `Encoder`
    """

    def generate(self, batch, on_token=None, return_scores: bool = False, jit_compile: bool | None = None, **options):
        """Text for a batch of prompts.

        Args:
            batch: dict of `input_ids` int32 `[B,T]` and `attention_mask`, or the ids alone. Prompts of different
                lengths may be padded on either side. Encoder-decoders also take `decoder_input_ids`, to be continued.
            on_token: is called after each step with the new tokens, int32 `[B * num_return_sequences]`, the padding
                token for rows that have ended; when it returns False, generation stops. Not with beam search.
            return_scores: with beam search, also return log-probability / length ** length_penalty, float32 `[rows]`.
            jit_compile: use XLA; None: where it pays.
            options: the fields of `tfplm.options.generate.GenerationOptions`, such as `max_new_tokens=20`.

        Returns:
            int32 array. Decoders alone: `[B * num_return_sequences, T + new]`, the prompts with their continuations;
            encoder-decoders `[B * num_return_sequences, 1 + new]`, beginning with the decoder's start token. `new` is
            the length of the longest continuation; behind its end a row has the padding token, or the end token
            where there is no padding token. Prompts padded on the left keep their padding; where prompts are padded
            on the right, each continuation follows its prompt at once and the padding comes last.

        Raises:
            ValueError: no language model's head, a model that looks ahead, an empty prompt, an id outside the
                vocabulary, a prompt that with `max_new_tokens` is longer than the model's positions, options out of
                their range. TypeError: an unknown option.
        """
        from tfplm.models.generation.program import choose_compiler, program

        options = _options(options)
        _check(options, on_token, return_scores)
        inputs, prompts = self.read_prompts(batch, options)
        rows = len(prompts.ids) * max(options.num_beams, options.num_return_sequences)
        plan, numbers = make_plan(self.config, options, choose_compiler(self, rows, jit_compile))
        compiled = program(self, plan)
        state, cache, rows = compiled.begin(inputs, numbers)
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
        refuse_unknown(values, {field.name for field in dataclasses.fields(GenerationOptions)}, "option of generate")
    except ValueError as error:
        raise TypeError(str(error)) from None
    values = dict(values)
    if values.get("do_sample") and values.get("seed") is None:
        values["seed"] = int(np.random.default_rng().integers(2 ** 31))
    return GenerationOptions(**values)


def _check(options: GenerationOptions, on_token, return_scores: bool) -> None:
    if options.num_beams > 1 and on_token is not None:
        raise ValueError(f"on_token needs num_beams=1, found {options.num_beams}: beam search knows its tokens only at "
                         "the end")
    if options.num_beams == 1 and return_scores:
        raise ValueError("return_scores needs beam search: num_beams of 2 or more")


def _stream(compiled, on_token, parts: tuple, numbers: dict, weights) -> dict:
    """Generates token by token, showing each, until the callback returns False."""
    state, cache, rows = parts
    while True:
        tokens, _ = compiled.method.last_tokens(compiled.plan, state)
        step = int(state["step"])
        if on_token(np.asarray(tokens)) is False:
            return state
        if not bool(compiled.method.goes_on(compiled.plan, numbers, state)):
            return state
        state, cache = compiled.proceed(state, cache, rows, numbers, np.int32(step + 1), weights)
