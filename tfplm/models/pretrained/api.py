"""Models in and out: `from_config`, `from_pretrained`, `save_pretrained`."""

import logging
import os
from pathlib import Path

import keras

from tfplm.core.checkpoints import write_safetensors, write_tf1
from tfplm.core.config import Config, write_json
from tfplm.families import registry
from tfplm.layers.initializers import skip_initialization
from tfplm.models.baselines import BiLSTM, TextCNN
from tfplm.models.encoder import Decoder, Encoder
from tfplm.models.heads import LABELLED
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained.resizing import check_vocabulary
from tfplm.models.pretrained.source import Source, open_source
from tfplm.models.pretrained.weights import BACKBONE, Report, Tolerance, export, labels_in, load, named_variables
from tfplm.models.seq2seq import Seq2Seq

log = logging.getLogger("tfplm")
MODELS = {"encoder": Encoder, "decoder": Decoder, "seq2seq": Seq2Seq, "textcnn": TextCNN, "bilstm": BiLSTM}


def from_config(preset_or_config: "str | Config | dict", head: str | None = None, *, num_labels: int | None = None,
                dtype=None, **overrides) -> PretrainedModel:
    """A model with fresh weights.

    Args:
        preset_or_config: a preset's name (`tfplm.presets()`), a `Config`, or a dict of its fields.
        head: what the model is for, see `tfplm.models.heads.HEADS`; None: hidden states.
        num_labels: of the classifying heads. dtype: a Keras dtype policy. overrides: fields of `Config`.

    Raises:
        ValueError: an unknown preset, head or field, or sizes that do not fit together.
    """
    if isinstance(preset_or_config, str):
        config = registry.preset(preset_or_config)
    elif isinstance(preset_or_config, Config):
        config = preset_or_config
    else:
        base = registry.family(preset_or_config.get("model_type", Config.model_type)).base
        config = Config.from_dict({**base, **preset_or_config})
    config = config.replace(**overrides)
    return MODELS[config.architecture](config, head, num_labels, dtype)


def from_pretrained(source: str | os.PathLike, head: str | None = None, *, num_labels: int | None = None, dtype=None,
                    **config_overrides) -> PretrainedModel:
    """A model with the weights of `source`: a directory in Hugging Face's or Google's TF1 layout, a `.keras` file, or
    a name in Hugging Face's cache or hub, or an open source (`tfplm.models.open_source`).

    Args:
        head: as in `from_config`; its weights are read where the checkpoint has them, else they are fresh, and the log
            says so. num_labels: where it differs from the checkpoint's, the classifier is fresh.
        dtype: "bfloat16" casts the weights once; "mixed_bfloat16" keeps them in float32.
        config_overrides: fields of `Config`, e.g. `num_hidden_layers=3` for the first layers only.

    Returns:
        The model; `model.loading_report` says which variables were filled from which tensors.

    Raises:
        FileNotFoundError: says what was looked for, and where to put it.
        ValueError: the config or the weights do not fit; lists everything that does not.
    """
    source = open_source(source)
    if source.layout == "keras":
        return _from_keras(source, head, num_labels, dtype, config_overrides)
    checkpoint, names = source.checkpoint(), source.family.names_for(head, source.layout)
    config = source.config_for(head).replace(**config_overrides)
    with skip_initialization():
        model = MODELS[config.architecture](config, head, num_labels or labels_in(checkpoint, names, head), dtype)
    model.loading_report = _fill(model, checkpoint, names, num_labels, config_overrides)
    return model


def source_config(source: str | os.PathLike) -> Config:
    """The configuration of a saved model, without its weights."""
    return open_source(source).config


def _fill(model, checkpoint, names, num_labels, overrides) -> Report:
    resized = set()
    if num_labels is not None:
        resized = {f"{layer}/{leaf}" for layer in LABELLED.values() for leaf in ("kernel", "bias")}
    parts = BACKBONE - {"embeddings", "encoder"} if overrides.get("architecture") == "encoder" else set()
    report = load(model, checkpoint, names, Tolerance(frozenset(resized), "num_hidden_layers" in overrides,
                                                      frozenset(parts)))
    if report.fresh:
        with skip_initialization(False):
            _initialize(model, report.fresh)
        log.warning("%s: not in the checkpoint, so freshly initialised: %s", model.name, ", ".join(report.fresh))
    return report


def _initialize(model, paths) -> None:
    """Fresh values for a pooler that the checkpoint lacks; heads have theirs from their constructor."""
    if any(path.startswith("pooler/") for path in paths):
        kernel = model.pooler.kernel
        kernel.assign(keras.initializers.TruncatedNormal(stddev=model.config.initializer_range)(kernel.shape))


def _from_keras(source: Source, head, num_labels, dtype, overrides) -> PretrainedModel:
    source.config  # noqa: B018  (a ValueError for files of other libraries)
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
        raise ValueError(f"{source} does not fit the changed config: it has no {', '.join(wrong)} of these shapes")
    if fresh:
        log.warning("%s: not in %s, so freshly initialised: %s", other.name, source, ", ".join(fresh))
    return other


def save_pretrained(model: PretrainedModel, directory: str | os.PathLike, tokenizer=None, format: str = "hf") -> None:
    """Writes a model for Hugging Face (`"hf"`: config.json, model.safetensors) or for Google's TF1 code (`"tf1"`:
    bert_config.json, bert_model.ckpt), and the tokenizer's files beside it.

    Raises:
        ValueError: the model has parts that the layout cannot name, or fewer embeddings than the tokenizer has tokens.
    """
    if format not in ("hf", "tf1"):
        raise ValueError(f"format is {format!r}, expected 'hf' or 'tf1'; for Keras' own use model.save('x.keras')")
    if tokenizer is not None:
        check_vocabulary(model, tokenizer)
    family = registry.family(model.config.model_type)
    names = family.names_for(model.head_name, format)
    tensors = export(model, names, format)
    config, foreign = family.write_config(model.config, format)
    if foreign:
        log.warning("only tfplm understands these keys of the saved config: %s", ", ".join(foreign))
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    if format == "hf":
        write_safetensors(directory, tensors)
        labels = {}
        # transformers derives the number of sentence relations from the labels; its default is 2
        usual = model.head_name == "pretraining" and model.num_labels == 2
        if model.head_name in LABELLED and not usual and not config.get("id2label"):
            labels = {"id2label": {index: f"LABEL_{index}" for index in range(model.num_labels)},
                      "label2id": {f"LABEL_{index}": index for index in range(model.num_labels)}}
        architecture = family.class_name(model.head_name, model.config.architecture)
        write_json(directory / "config.json", {"model_type": model.config.model_type, **config, **labels,
                                               "architectures": [architecture]})
    else:
        write_tf1(directory / family.tf1_checkpoint, tensors)
        write_json(directory / family.tf1_config, config)
    if tokenizer is not None:
        tokenizer.save_pretrained(directory)
