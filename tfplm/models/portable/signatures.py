"""The names of a model's inputs and outputs in files for other programs: those of Hugging Face's exporters."""

import tensorflow as tf

from tfplm.models.model import PretrainedModel
from tfplm.models.portable.portable import Portable

# head -> (key of the model's output, name in files); "" for a head with one tensor
_OUTPUTS: dict[str | None, tuple[tuple[str, str], ...]] = {
    None: (("sequence_output", "last_hidden_state"), ("pooled_output", "pooler_output")),
    "question_answering": (("start", "start_logits"), ("end", "end_logits")),
    "pretraining": (("masked_lm", "prediction_logits"), ("next_sentence", "seq_relationship_logits")),
}
_LOGITS = (("", "logits"),)


def input_names(model: PretrainedModel) -> tuple[str, ...]:
    """The inputs that the model reads: `input_ids`, `attention_mask`, and `token_type_ids` if there are segments; for
    encoder-decoders `decoder_input_ids` and `decoder_attention_mask`, unless their head classifies."""
    if model.is_seq2seq and model.head_name in (None, "seq2seq_lm"):
        return "input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask"
    types = (model.config.type_vocab_size or 0) > 1 or model.config.attention_type == "prefix"
    return ("input_ids", "attention_mask", *(("token_type_ids",) if types else ()))


def weight_bytes(model: PretrainedModel) -> int:
    """The size of the model's weights."""
    return sum(variable.shape.num_elements() * tf.as_dtype(variable.dtype).size
               for variable in (weight.value for weight in model.weights))


def check_float32(model: PretrainedModel) -> None:
    """Raises ValueError for a model of another dtype: a format rounds weights itself."""
    if model.compute_dtype != "float32":
        raise ValueError(f"{model.name} computes in {model.compute_dtype}; expected float32, which each format rounds to "
                         "the wanted precision itself: load it with dtype='float32', and export it with --precision")


def portable_model(model: PretrainedModel, versions: bool = False) -> Portable:
    """A model with or without head: ids `[B,T]` -> its outputs, see `_OUTPUTS`.

    versions: ids are `[B,K,T]`, as always for multiple choice: each text is classified in K versions.

    Raises ValueError for a model that does not compute in float32.
    """
    check_float32(model)
    axes = [None] * (3 if versions or model.head_name == "multiple_choice" else 2)
    pairs = [(key, name) for key, name in _outputs(model.head_name)
             if key != "pooled_output" or model.pooler is not None or model.config.architecture in ("textcnn", "bilstm")]

    def function(batch: dict) -> dict:
        result = model(batch, training=False)
        return {name: result[key] if key else result for key, name in pairs}

    problem = _problem(model)
    return Portable(function, {name: tf.TensorSpec(axes, tf.int32) for name in input_names(model)},
                    tuple(name for _, name in pairs), weight_bytes=weight_bytes(model), config=model.config, problem=problem,
                    labels=tuple(model.id2label.values()) if problem not in ("", "regression") else ())


def _problem(model: PretrainedModel) -> str:
    """What the logits of a head that classifies say, see `Portable`."""
    if model.head_name == "token_classification":
        return "" if model.config.crf else "tokens"  # the best sequence of a CRF is not that of the best labels
    if model.head_name != "sequence_classification":
        return ""
    if model.num_labels == 1 or model.config.problem_type == "regression":
        return "regression"
    return "multi_label" if model.config.problem_type == "multi_label_classification" else "classification"


def as_model_output(head: str | None, outputs: dict):
    """The named outputs of a file, in the form in which the model with this head returns them."""
    pairs = _outputs(head)
    if not pairs[0][0]:
        return outputs[pairs[0][1]]
    return {key: outputs[name] for key, name in pairs if name in outputs}


def _outputs(head: str | None) -> tuple[tuple[str, str], ...]:
    return _OUTPUTS.get(head, _LOGITS)
