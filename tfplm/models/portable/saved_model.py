"""The format SavedModel: `1/`, as TensorFlow Serving reads it, with the tokenizer inside where that is exact.

Signatures, each with a dict of tensors as its result:

    serving_default   `text` string [B] -> the outputs, see `text.answers`; of models without a tokenizer inside: `ids`
    pairs             `text`, `text_pair` string [B] -> the same
    tokenize          `text` string [B] -> `input_ids`, `attention_mask`, `token_type_ids`
    ids               these -> the outputs of the model
    generate          of models that generate: `input_ids`, `attention_mask` -> `output_ids`, the new tokens; with a
                      tokenizer inside, `serving_default` is `text` -> `text`, `output_ids`

"""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfplm.core.files import naming_the_space, replacing
from tfplm.layers.kernels.plain import plain_kernels
from tfplm.models.portable.graph import trace
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.session import Session
from tfplm.models.portable.text.answers import answers
from tfplm.models.portable.text.decoding import TextOutput, check_exact_output
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.models.portable.text.exactness import check_exact
from tfplm.models.portable.text.inputs import TextInputs, TextSettings
from tfplm.models.portable.warm_up import write_warm_up

VERSION = "1"  # TensorFlow Serving serves the folder with the largest number
TEXT, PAIR = "text", "text_pair"
log = logging.getLogger(__name__)


def write(portable: Portable, folder: Path, precision: str, calibration: Sequence[dict[str, np.ndarray]]) -> None:
    """Writes `1/`, see `formats.write`: variables, so that the weights have no limit of size.

    The tokenizer is inside if it is exact; else the log says why it is not, and the inputs are ids.
    """
    with plain_kernels("flat"):
        module = Served(portable)
    with naming_the_space(folder / VERSION, portable.weight_bytes), replacing(folder / VERSION) as temporary:
        tf.saved_model.save(module, str(temporary), signatures=module.signatures)
        write_warm_up(temporary, _requests(portable, module))


class Served(tf.Module):
    """The functions of a SavedModel, and the variables that they read."""

    def __init__(self, portable: Portable):
        super().__init__()
        self.portable = portable
        self._ids = {name: trace(dataclasses.replace(each, ids=tf.int32), "flat")
                     for name, each in (("ids", portable), *portable.also.items())}
        self.weights = list({id(variable): variable for each in self._ids.values() for variable in each.variables}.values())
        self.signatures = {name: self._of_ids(name) for name in self._ids}
        self.main = "generate" if "generate" in self._ids else "ids"
        self.tokenizer, self.output = text_inputs(portable), None
        if self.tokenizer is not None and self.main == "generate":
            self.output = text_output(portable)
        if self.tokenizer is None or (self.main == "generate" and self.output is None):
            self.signatures["serving_default"] = self.signatures[self.main]
            return
        texts = [tf.TensorSpec([None], tf.string, name) for name in (TEXT, PAIR)]
        numbers = [spec for name, spec in self._ids[self.main].structured_input_signature[1].items() if name == "seed"]
        self.signatures["tokenize"] = _graph(lambda text: self.tokenizer(text), *texts[:1])
        if self.main == "generate":
            self.signatures["serving_default"] = _graph(self._of_prompts, *texts[:1], *numbers)
            return
        self.signatures["serving_default"] = _graph(self._of_texts, *texts[:1])
        if not portable.prompt:
            self.signatures["pairs"] = _graph(self._of_pairs, *texts)

    def _of_ids(self, name: str):
        function, specs = self._ids[name], self._ids[name].structured_input_signature[1]
        return tf.function(lambda **batch: function(**batch), autograph=False).get_concrete_function(**specs)

    def _of_texts(self, text):
        return self._answers(self.tokenizer(text))

    def _of_pairs(self, text, text_pair):
        return self._answers(self.tokenizer(text, text_pair))

    def _answers(self, inputs: dict) -> dict:
        outputs = self._ids["ids"](**{name: inputs[name] for name in self.portable.inputs})
        return answers(self.portable, outputs, inputs)

    def _of_prompts(self, text, seed=None):
        inputs = self.tokenizer(text)
        given = {name: inputs[name] for name in ("input_ids", "attention_mask")} | ({} if seed is None else {"seed": seed})
        outputs = self._ids["generate"](**given)
        return {TEXT: self.output(outputs["output_ids"]), **outputs}


def _graph(function, *specs):
    return tf.function(function, autograph=False, input_signature=specs).get_concrete_function()


def text_inputs(portable: Portable) -> TextInputs | None:
    """The tokenizer as a part of the graph; None, with a line in the log, if its ids would not be the same."""
    if portable.tokenizer is None:
        return None
    try:
        if any(len(spec.shape) != 2 for spec in portable.inputs.values()):
            raise NotInGraph("the model takes several texts at once")
        inputs = TextInputs(portable.tokenizer, settings_of(portable))
        check_exact(tf.function(inputs.pieces, input_signature=[tf.TensorSpec([None], tf.string)]), portable.tokenizer,
                    portable.texts)
    except ImportError:
        log.warning("the SavedModel takes ids, not texts, as tensorflow-text is not installed: pip install -e '.[text]'")
        return None
    except NotInGraph as reason:
        log.warning("the SavedModel takes ids, not texts: the tokenizer has no exact form in TensorFlow, as %s", reason)
        return None
    return inputs


def settings_of(portable: Portable) -> TextSettings:
    """How texts become the inputs of the model's main signature; prompts of decoders have no special tokens."""
    generates = portable.also.get("generate")
    if generates is None:
        return TextSettings(portable.max_length, portable.prompt, portable.lowercase)
    lengths = [length for length in (portable.max_length, generates.max_length) if length is not None]
    return TextSettings(min(lengths, default=None), special_tokens=portable.config.architecture == "seq2seq")


def text_output(portable: Portable) -> TextOutput | None:
    """The decoding of ids as a part of the graph; None, with a line in the log, if texts would not be the same."""
    try:
        output = TextOutput(portable.tokenizer)
        check_exact_output(output, portable.tokenizer)
    except NotInGraph as reason:
        log.warning("the SavedModel generates ids from ids, not texts: %s", reason)
        return None
    return output


def _requests(portable: Portable, module: Served) -> list[dict[str, np.ndarray]]:
    """The inputs of `serving_default` for one text and for several."""
    texts = list(portable.texts[:8]) or ["a"]
    batches = [texts[:1], texts]
    if TEXT in module.signatures["serving_default"].structured_input_signature[1]:
        return [{TEXT: np.array([text.encode() for text in batch], object)} for batch in batches]
    specs = module.signatures["serving_default"].structured_input_signature[1]
    return [{name: np.ones([1, 8, 8][:len(spec.shape)], np.int32) for name, spec in specs.items()}]


def open_session(folder: Path, threads: int | None = None) -> "SavedModelSession":
    """Opens the folder that `write` has written, or its subfolder `1`. threads: ignored, TensorFlow has one number."""
    inner = folder / VERSION if (folder / VERSION).is_dir() else folder
    if not (inner / "saved_model.pb").is_file():
        raise FileNotFoundError(f"there is no {inner / 'saved_model.pb'}; expected a folder that tfplm export --format "
                                "saved_model wrote: export the model first")
    return SavedModelSession(inner)


class SavedModelSession(Session):
    """A SavedModel in this process's TensorFlow."""

    def __init__(self, folder: Path):
        if _has_text_ops(folder):
            import tensorflow_text  # noqa: F401 (its operations)
        self._loaded = tf.saved_model.load(str(folder))
        self._signatures = self._loaded.signatures
        self._ids = self._signatures["ids"]
        specs = self._ids.structured_input_signature[1]
        self.inputs = {name: np.dtype(spec.dtype.as_numpy_dtype) for name, spec in specs.items()}
        self.outputs = tuple(self._ids.structured_outputs)
        self.takes_texts, self.takes_pairs = "tokenize" in self._signatures, "pairs" in self._signatures

    def run(self, batch):
        return _call(self._ids, batch)

    def texts(self, texts, pairs=None, seed=None):
        given = {TEXT: texts} | ({} if pairs is None else {PAIR: pairs})
        given = {name: np.array([text.encode() for text in values], object) for name, values in given.items()}
        signature = self._signatures["serving_default" if pairs is None else "pairs"]
        return _call(signature, given | {"seed": np.int32(seed or 0)})

    def generate(self, batch, seed=None):
        return _call(self._signatures["generate"], {**batch, "seed": np.int32(seed or 0)})["output_ids"]


def _call(signature, arrays: dict) -> dict[str, np.ndarray]:
    names = signature.structured_input_signature[1]
    return {name: value.numpy() for name, value in
            signature(**{name: tf.constant(arrays[name]) for name in names}).items()}


def _has_text_ops(folder: Path) -> bool:
    """Whether the graph has operations of TensorFlow Text, which must be loaded before it."""
    data = (folder / "saved_model.pb").read_bytes()
    return any(name in data for name in (b"RegexSplitWithOffsets", b"FastWordpieceTokenize", b"SentencepieceTokenizeOp"))
