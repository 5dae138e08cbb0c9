"""Creation, loading and saving of models: `from_config`, `from_pretrained`, `save_pretrained`."""

import hashlib
import logging
import os
from pathlib import Path

import keras
import numpy as np

from tfplm.core.checkpoints import write_safetensors, write_tf1
from tfplm.core.config import Config, write_json
from tfplm.core.files import new_folder
from tfplm.families import registry
from tfplm.layers.initializers import skip_initialization
from tfplm.models.baselines import BiLSTM, TextCNN
from tfplm.models.encoder import Decoder, Encoder
from tfplm.models.heads import LABELLED
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.matching import Match, Tolerance, match
from tfplm.models.pretrained.resizing import check_vocabulary
from tfplm.models.pretrained.source import Source, open_source
from tfplm.models.pretrained.weights import BACKBONE, Report, export, labels_in, load, named_variables
from tfplm.models.seq2seq import Seq2Seq
from tfplm.models.shapes import variable_shapes

log = logging.getLogger("tfplm")
# fields of a head that only this library has: other libraries read the rest of the model correctly
_HEAD_ONLY = ("crf",)
MODELS = {"encoder": Encoder, "decoder": Decoder, "seq2seq": Seq2Seq, "textcnn": TextCNN, "bilstm": BiLSTM}


def from_config(preset_or_config: "str | Config | dict", head: str | None = None, *, num_labels: int | None = None,
                dtype=None, **overrides) -> PretrainedModel:
    """Creates a model with random weights.

    Args:
        preset_or_config: the name of a preset (`tfplm.presets()`), a `Config`, or a dict of its fields.
        head: name of the head, see `tfplm.models.heads.HEADS`; None for hidden states.
        num_labels: number of labels of a classification head.
        dtype: a Keras dtype policy.
        overrides: fields of `Config`.

    Raises:
        ValueError: an unknown preset, head or field, or sizes that do not match.
    """
    config = registry.config_of(preset_or_config).replace(**overrides)
    return MODELS[config.architecture](config, head, num_labels, dtype)


def from_pretrained(source: str | os.PathLike, head: str | None = None, *, num_labels: int | None = None, dtype=None,
                    **config_overrides) -> PretrainedModel:
    """Loads a model with its weights.

    Args:
        source: a directory in Hugging Face's or Google's TF1 layout or of `tf.train.Checkpoint(model=model, ...)`, a
            `.keras` file, a name in Hugging Face's cache or hub, or an open source (`tfplm.models.open_source`).
        head: as in `from_config`; its weights are loaded if the checkpoint contains them, otherwise they are newly
            initialized, which is logged as a warning.
        num_labels: number of labels; if the checkpoint has a different one, the classifier is newly initialized.
        dtype: "bfloat16" casts the weights once; "mixed_bfloat16" keeps them in float32.
        config_overrides: fields of `Config`, e.g. `num_hidden_layers=3` for the first layers only.

    Returns:
        The model; `model.loading_report` lists the variables and the tensors from which they were loaded.

    Raises:
        FileNotFoundError: there is no such model; the message has the searched locations.
        ValueError: the config or the weights do not match the model; the message counts all differences,
            with examples. Nothing has been built or allocated then.
    """
    source = open_source(source)
    if source.layout == "keras":
        return _from_keras(source, head, num_labels, dtype, config_overrides)
    checkpoint, names = source.checkpoint(), source.names_for(head)
    config = source.config_for(head).replace(**config_overrides)
    labels = num_labels or labels_in(checkpoint, names, head)
    # before the model is built, which would take all memory for a wrong size
    result = match(variable_shapes(config, head, labels), checkpoint, names, _tolerance(num_labels, config_overrides),
                   config.inner_group_num)
    with skip_initialization():
        model = MODELS[config.architecture](config, head, labels, dtype)
    model.loading_report = _fill(model, checkpoint, result)
    return model


def source_config(source: str | os.PathLike) -> Config:
    """The configuration of a saved model, without its weights."""
    return open_source(source).config


def _tolerance(num_labels: int | None, overrides: dict) -> Tolerance:
    resized = set()
    if num_labels is not None:
        resized = {f"{layer}/{leaf}" for layer in LABELLED.values() for leaf in ("kernel", "bias")}
    parts = BACKBONE - {"embeddings", "encoder"} if overrides.get("architecture") == "encoder" else set()
    return Tolerance(frozenset(resized), "num_hidden_layers" in overrides, frozenset(parts))


def _fill(model, checkpoint, result: Match) -> Report:
    report = load(model, checkpoint, result)
    if report.fresh:
        with skip_initialization(False):
            _initialize(model, report.fresh)
        variables = named_variables(model)
        report.untrained = {path: _digest(variables[path]) for path in report.fresh if path.startswith("pooler/")}
        _warn_of_fresh(model.name, "the checkpoint", report.fresh)
    return report


def _warn_of_fresh(model: str, source, paths: list[str]) -> None:
    log.warning("%s: not in %s, so newly initialized: %s; train it before use", model, source, ", ".join(paths))


def _digest(variable) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(keras.ops.convert_to_numpy(variable)).tobytes(), digest_size=16).digest()


def untrained_pooler(model: PretrainedModel) -> set[str]:
    """Paths of the pooler if the checkpoint did not contain it and nothing has changed it since, otherwise none.

    It consists of random numbers, so it is not written: readers initialize it and say so.
    """
    untrained = getattr(getattr(model, "loading_report", None), "untrained", {})
    variables = named_variables(model) if untrained else {}
    same = {path for path, digest in untrained.items() if path in variables and _digest(variables[path]) == digest}
    return same if len(same) == len(untrained) else set()


def _initialize(model, paths) -> None:
    """Initializes a pooler that the checkpoint does not contain; heads are initialized by their constructor."""
    if any(path.startswith("pooler/") for path in paths):
        kernel = model.pooler.kernel
        kernel.assign(keras.initializers.TruncatedNormal(stddev=model.config.initializer_range)(kernel.shape))


def _from_keras(source: Source, head, num_labels, dtype, overrides) -> PretrainedModel:
    source.config  # noqa: B018  (raises ValueError for files of other libraries)
    model = keras.models.load_model(source.file)
    if head == model.head_name and dtype is None and num_labels in (None, model.num_labels) and not overrides:
        return model
    config = model.config.replace(**overrides)
    same = head == model.head_name and num_labels is None
    other = MODELS[config.architecture](config, head, model.num_labels if same else num_labels,
                                        model.dtype_policy if dtype is None else dtype)
    values, fresh = named_variables(model), []
    for name, variable in named_variables(other).items():
        if name in values and values[name].shape == variable.shape:
            variable.assign(values[name])
        else:
            fresh.append(name)
    if wrong := [name for name in fresh if name.partition("/")[0] in BACKBONE]:
        raise ValueError(f"{source} does not match the changed config: it has no {', '.join(wrong)} of the expected "
                         "shapes; change only fields that keep them")
    if fresh:
        _warn_of_fresh(other.name, source, fresh)
    return other


def save_pretrained(model: PretrainedModel, directory: str | os.PathLike, tokenizer=None, format: str = "hf") -> None:
    """Saves a model, and its tokenizer if there is one.

    Args:
        model: the model.
        directory: the directory to write.
        tokenizer: the tokenizer of the model, whose files are written to the same directory.
        format: "hf" for Hugging Face (config.json, model.safetensors), "tf1" for Google's TF1 code (bert_config.json,
            bert_model.ckpt).

    Raises:
        ValueError: the model has variables without a name in this layout, or fewer embeddings than the tokenizer has
            tokens.
        OSError: the disk is full; the message has the path, the needed and the free bytes.
    """
    if format not in ("hf", "tf1"):
        raise ValueError(f"format is {format!r}, expected 'hf' or 'tf1'; for a Keras file use model.save('x.keras')")
    if tokenizer is not None:
        check_vocabulary(model, tokenizer)
    family = registry.family(model.config.model_type)
    names = family.names_for(model.head_name, format)
    tensors = export(model, names, format, untrained_pooler(model))
    config, foreign = family.write_config(model.config, format)
    if foreign := [name for name in foreign if name not in _HEAD_ONLY]:
        log.warning("the saved config has keys that only tfplm understands: %s", ", ".join(foreign))
    with new_folder(directory) as folder:
        if format == "hf":
            write_safetensors(folder, tensors)
            write_json(folder / "config.json", _config_of_transformers(model, family, config))
        else:
            write_tf1(folder / family.tf1_checkpoint, tensors)
            write_json(folder / family.tf1_config, config)
        if tokenizer is not None:
            tokenizer.save_pretrained(folder)


def save_config(model: PretrainedModel, folder: str | os.PathLike) -> None:
    """Writes only `config.json`, in Hugging Face's layout, beside weights in another format."""
    family = registry.family(model.config.model_type)
    config, _ = family.write_config(model.config, "hf")
    write_json(Path(folder, "config.json"), _config_of_transformers(model, family, config))


def _config_of_transformers(model: PretrainedModel, family: registry.Family, config: dict) -> dict:
    labels = {}
    # transformers derives the number of sentence relations from the labels; its default is 2
    default = model.head_name == "pretraining" and model.num_labels == 2
    if model.head_name in LABELLED and not default and not config.get("id2label"):
        labels = {"id2label": model.id2label, "label2id": {name: index for index, name in model.id2label.items()}}
    architecture = family.class_name(model.head_name, model.config.architecture)
    return {"model_type": model.config.model_type, **config, **labels, "architectures": [architecture]}
