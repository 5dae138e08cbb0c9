"""Generation as a portable function: prompts -> the tokens that follow them, in one graph with its cache."""

import functools

import tensorflow as tf

from tfplm.models.generation.inputs import start_token
from tfplm.models.generation.plan import make_plan
from tfplm.models.generation.program import Program
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.signatures import check_float32, weight_bytes
from tfplm.options.generate import GenerationOptions

_ROWS = tf.TensorSpec([None, None], tf.int32)
_WIDTHS = (16, 64, 256, 1024, 4096)  # of prompts: a program for each


def portable_generation(model, options: GenerationOptions) -> Portable:
    """`model.generate` with these options as a `Portable`.

    Its inputs are `input_ids` and `attention_mask` `[B,T]`, padded on either side, and for sampling `seed`, a scalar. Its
    output `output_ids` `[B * num_return_sequences, new]` are the new tokens alone; `new` is the length of the longest
    continuation, and shorter rows are filled as in `generate`. A prompt that is too long is an error of the graph.

    Raises ValueError for a model that cannot generate.
    """
    check_float32(model)
    model.read_prompts({"input_ids": [[0]]}, options)  # its checks
    generation = _Generation(model, options)
    inputs = {"input_ids": _ROWS, "attention_mask": _ROWS}
    if options.do_sample:
        inputs["seed"] = tf.TensorSpec([], tf.int32)
    return Portable(generation, inputs, ("output_ids",), tf.int32, weight_bytes(model), model.config,
                    max_length=generation.longest)


class _Generation:
    """The function of `portable_generation`."""

    def __init__(self, model, options: GenerationOptions):
        self.model, self.options = model, options
        self.plan, self.numbers = make_plan(model.config, options, (False, False))
        self.longest = model.config.position_limit
        if not model.is_seq2seq:  # the last token is not an input
            self.longest = min(_WIDTHS[-1], (self.longest or 2 * _WIDTHS[-1]) - options.max_new_tokens + 1)
        self.program = Program(model, self.plan)

    def __call__(self, batch: dict) -> dict:
        ids, mask = batch["input_ids"], batch["attention_mask"]
        numbers = {name: tf.constant(value) for name, value in self.numbers.items()}
        if "seed" in batch:
            numbers["seed"] = batch["seed"]
        lengths = tf.math.count_nonzero(mask, axis=1, dtype=tf.int32)
        checks = [tf.debugging.assert_positive(lengths, "a prompt is empty; expected at least one token")]
        if self.longest is not None:
            message = f"a prompt has more tokens than {self.longest}, which leave room for the new ones: truncate it"
            checks.append(tf.debugging.assert_less_equal(lengths, self.longest, message))
        with tf.control_dependencies(checks):
            prompts = tf.ragged.boolean_mask(tf.identity(ids), mask != 0)
        return {"output_ids": self._of_pairs(prompts, lengths, numbers) if self.model.is_seq2seq else
                self._of_prompts(prompts, lengths, numbers)}

    def _of_prompts(self, prompts, lengths, numbers):
        """Runs the program for the narrowest width that has room for all prompts."""
        widths = [*(width for width in _WIDTHS if width < self.longest), self.longest]
        branches = [functools.partial(self._of_width, prompts, lengths, numbers, width) for width in widths]
        index = tf.reduce_sum(tf.cast(tf.reduce_max(lengths) > tf.constant(widths), tf.int32))
        return tf.switch_case(index, branches)

    def _of_width(self, prompts, lengths, numbers, width: int):
        rows = prompts.to_tensor(shape=[None, width])
        columns = (tf.range(width)[None] + lengths[:, None]) % width
        ids = tf.ensure_shape(tf.gather(rows, columns, batch_dims=1), [None, width])  # padded on the left
        return self._run({"ids": ids, "padding": width - lengths}, numbers)

    def _of_pairs(self, prompts, lengths, numbers):
        start = tf.fill([tf.size(lengths), 1], start_token(self.model.config, self.options))
        encoder = {"input_ids": prompts.to_tensor(self.model.config.pad_token_id or 0),
                   "attention_mask": tf.sequence_mask(lengths, dtype=tf.int32)}
        return self._run({"ids": tf.ensure_shape(start, [None, 1]), "padding": tf.zeros_like(lengths),
                          "encoder": encoder}, numbers)

    def _run(self, inputs, numbers):
        state, cache, rows = self.program.start(inputs, numbers)
        state, _ = self.program.proceed(state, cache, rows, numbers, numbers["limit"], [])
        found = self.program.method.result(self.plan, state, self.options.num_return_sequences)
        return found["new"][:, :found["length"]]
