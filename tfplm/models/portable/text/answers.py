"""What a program that takes texts returns: the outputs of the model, with names of labels and probabilities."""

import tensorflow as tf

from tfplm.models.portable.portable import Portable


def answers(portable: Portable, outputs: dict, inputs: dict) -> dict:
    """The outputs of the model for texts, in a graph.

    - sentence encoders: `sentence_embedding` alone, without the states of all tokens;
    - classification: `label` string `[B]`, the most likely one, and `probabilities` `[B,L]` in the order of the labels;
    - multi-label classification: `probabilities`, each on its own;
    - token classification: `label` string `[B,T]`, "" at padding, `probabilities` `[B,T,L]`, `input_ids`;
    - outputs for tokens of other heads: also `input_ids` and `attention_mask`.

    The outputs of the model itself are there as well.
    """
    if "sentence_embedding" in outputs:
        return {"sentence_embedding": outputs["sentence_embedding"]}
    result = dict(outputs)
    if portable.problem == "multi_label":
        result["probabilities"] = tf.sigmoid(outputs["logits"])
    elif portable.problem in ("classification", "tokens"):
        logits = outputs["logits"]
        label = tf.gather(tf.constant(portable.labels), tf.argmax(logits, axis=-1))
        if portable.problem == "tokens":
            label = tf.where(inputs["attention_mask"] > 0, label, "")
        result |= {"label": label, "probabilities": tf.nn.softmax(logits)}
    if portable.problem == "tokens" or any(len(tensor.shape) == 3 for tensor in outputs.values()):
        result |= {name: inputs[name] for name in ("input_ids", "attention_mask")}
    elif "start_logits" in outputs:
        result |= {name: inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    return result
