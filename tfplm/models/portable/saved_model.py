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
        served = Served(portable)
    with naming_the_space(folder / VERSION, portable.weight_bytes), replacing(folder / VERSION) as temporary:
        tf.saved_model.save(served.root, str(temporary), signatures=served.signatures)
        write_warm_up(temporary, _requests(portable, _specs(served.signatures["serving_default"])))


class Served:
    """The signatures of a SavedModel.

    Attributes: `signatures`, concrete functions; `root`, what they read: variables, and resources of the tokenizer.
    """

    def __init__(self, portable: Portable):
        self.portable, self.root = portable, tf.Module()
        self._ids = {name: trace(dataclasses.replace(each, ids=tf.int32), "flat")
                     for name, each in (("ids", portable), *portable.also.items())}
        variables = {id(variable): variable for each in self._ids.values() for variable in each.variables}
        self.root.weights = list(variables.values())
        self.signatures = {name: _concrete(function, _specs(function)) for name, function in self._ids.items()}
        main = "generate" if "generate" in self._ids else "ids"
        self.tokenizer = self.root.tokenizer = text_inputs(portable)
        self.output = self.root.output = text_output(portable) if main == "generate" and self.tokenizer else None
        if self.tokenizer is None or (main == "generate" and self.output is None):
            self.signatures["serving_default"] = self.signatures[main]
        else:
            self._take_texts(main)

    def _take_texts(self, main: str) -> None:
        text, pair = ({name: tf.TensorSpec([None], tf.string)} for name in (TEXT, PAIR))
        self.signatures["tokenize"] = _concrete(lambda text: self.tokenizer(text), text)
        if main == "generate":
            seed = {name: spec for name, spec in _specs(self._ids[main]).items() if name == "seed"}
            self.signatures["serving_default"] = _concrete(self._of_prompts, text | seed)
            return
        self.signatures["serving_default"] = _concrete(self._of_texts, text)
        if self.tokenizer.takes_pairs:
            self.signatures["pairs"] = _concrete(self._of_texts, text | pair)

    def _of_texts(self, text, text_pair=None):
        inputs = self.tokenizer(text, text_pair)
        outputs = self._ids["ids"](**{name: inputs[name] for name in self.portable.inputs})
        return answers(self.portable, outputs, inputs)

    def _of_prompts(self, text, **seed):
        inputs = self.tokenizer(text)
        outputs = self._ids["generate"](**{name: inputs[name] for name in ("input_ids", "attention_mask")}, **seed)
        return {TEXT: self.output(outputs["output_ids"]), **outputs}


def _specs(function) -> dict[str, tf.TensorSpec]:
    """The inputs of a concrete function by name."""
    return function.structured_input_signature[1]


def _concrete(function, specs: dict[str, tf.TensorSpec]):
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()}
    return tf.function(lambda **tensors: function(**tensors), autograph=False).get_concrete_function(**named)


def text_inputs(portable: Portable) -> TextInputs | None:
    """The tokenizer as a part of the graph; None, with a line in the log, if its ids would not be the same."""
    if portable.tokenizer is None:
        return None
    try:
        if any(len(spec.shape) != 2 for spec in portable.inputs.values()):
            raise NotInGraph("the model takes several texts at once")
        inputs = TextInputs(portable.tokenizer, settings_of(portable))
        pieces = tf.function(lambda text: inputs.pieces(text), input_signature=[tf.TensorSpec([None], tf.string)])
        alike = getattr(inputs.pieces, "alike", lambda *_: False)
        check_exact(pieces, portable.tokenizer, portable.texts, alike)
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


def _requests(portable: Portable, specs: dict[str, tf.TensorSpec]) -> list[dict[str, np.ndarray]]:
    """Inputs of `serving_default`: one text and several, or, without a tokenizer inside, any ids."""
    if TEXT not in specs:
        return [{name: np.ones([1, 8, 8][:len(spec.shape)], np.int32) for name, spec in specs.items()}]
    texts = list(portable.texts[:8]) or ["a"]
    seed = {"seed": np.int32(0)} if "seed" in specs else {}
    return [{TEXT: np.array([text.encode() for text in batch], object), **seed} for batch in (texts[:1], texts)]


def open_session(folder: Path, threads: int | None = None) -> "SavedModelSession":
    """Opens the folder that `write` has written, or its subfolder `1`. threads: ignored, TensorFlow has one number."""
    inner = folder / VERSION if (folder / VERSION).is_dir() else folder
    if not (inner / "saved_model.pb").is_file():
        raise FileNotFoundError(f"there is no {inner / 'saved_model.pb'}; expected a folder that tfplm export --format "
                                "saved_model wrote: export the model first")
    if _has_text_ops(inner):
        import tensorflow_text  # noqa: F401 (its operations)
    return SavedModelSession(tf.saved_model.load(str(inner)))


class SavedModelSession(Session):
    """A SavedModel in this process's TensorFlow: its signature `main` for ids, and those for texts."""

    def __init__(self, loaded, main: str = "ids"):
        self._loaded, self._signatures = loaded, loaded.signatures
        self._main = self._signatures[main]
        self.inputs = {name: np.dtype(spec.dtype.as_numpy_dtype) for name, spec in _specs(self._main).items()}
        self.outputs = tuple(self._main.structured_outputs)
        self.parts = tuple(name for name in ("encode", "step") if name in self._signatures)
        self.takes_texts, self.takes_pairs = "tokenize" in self._signatures, "pairs" in self._signatures

    def part(self, name):
        return SavedModelSession(self._loaded, name) if name in self.parts else super().part(name)

    def run(self, batch):
        return _call(self._main, batch)

    def texts(self, texts, pairs=None, seed=None):
        given = {TEXT: texts} | ({} if pairs is None else {PAIR: pairs})
        given = {name: np.array([text.encode() for text in values], object) for name, values in given.items()}
        signature = self._signatures["serving_default" if pairs is None else "pairs"]
        return _call(signature, given | {"seed": np.int32(seed or 0)})

    def generate(self, batch, seed=None):
        return _call(self._signatures["generate"], {**batch, "seed": np.int32(seed or 0)})["output_ids"]


def _call(signature, arrays: dict) -> dict[str, np.ndarray]:
    found = signature(**{name: tf.constant(arrays[name]) for name in _specs(signature)})
    return {name: value.numpy() for name, value in found.items()}


def _has_text_ops(folder: Path) -> bool:
    """Whether the graph has operations of TensorFlow Text, which must be loaded before it."""
    data = (folder / "saved_model.pb").read_bytes()
    return any(name in data for name in (b"FastWordpieceTokenize", b"SentencepieceTokenizeOp"))
