"""A function of named tensors that another program can run, and its graph without variables."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from tfplm.core.config import Config
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class Portable:
    """What every format is written from.

    Attributes:
        function: a dict of tensors, with the names and dtypes of `inputs`, -> a dict with all names of `outputs`.
        inputs: the specification of each input, in the order in which files list them. Those that no output depends on
            are left out of the files.
        outputs: the names of the outputs, the main one first: readers that expect one output take this one.
        ids: the dtype of its integer inputs in files, which the function gets as int32; sentence-transformers, fastembed
            and optimum pass int64.
        weight_bytes: size of the variables that the function reads.
        config: the configuration of the model.
        tokenizer: its tokenizer, for formats that contain it. max_length: tokens to which it truncates a text, or None.
        texts: examples of real texts, for formats that keep requests for a warm-up.
        prompt, lowercase: what is done to a text before the tokenizer gets it.
        problem: what the output `logits` says, "classification", "multi_label", "regression" or "tokens" (a class for
            each token), or "" for anything else; labels: the names of its classes.
        also: further functions with other inputs, such as "generate", for formats that can hold several.
    """

    function: Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]
    inputs: dict[str, tf.TensorSpec]
    outputs: tuple[str, ...]
    ids: tf.DType = tf.int64
    weight_bytes: int = 0
    config: Config | None = None
    tokenizer: Tokenizer | None = None
    max_length: int | None = None
    texts: tuple[str, ...] = ()
    prompt: str = ""
    lowercase: bool = False
    problem: str = ""
    labels: tuple[str, ...] = ()
    also: dict[str, "Portable"] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Frozen:
    """The graph of a `Portable` whose weights are constants.

    Attributes:
        graph: the graph that the outputs depend on, with nothing but TensorFlow's own operations.
        inputs, outputs: the public names -> the names of tensors in the graph, such as `Identity:0`.
    """

    graph: tf.compat.v1.GraphDef
    inputs: dict[str, str]
    outputs: dict[str, str]
