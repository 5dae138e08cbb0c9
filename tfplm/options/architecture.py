"""Flags for the fields of `core.config.Config`, generated from it."""

import dataclasses
import typing

from tfplm.core.config import Config
from tfplm.options.base import flag

_NO_FLAGS = ("id2label", "problem_type", "crf")  # fields of fine-tuned classifiers
DESCRIPTIONS = {
    "model_type": "family, which selects the names of the weights and the class in transformers",
    "architecture": "what is built: an encoder, a decoder, an encoder-decoder (seq2seq), or a baseline without "
                    "pre-training",
    "vocab_size": "number of tokens in the vocabulary; the size of a vocabulary that is learned from the text",
    "hidden_size": "width of the vectors between the layers",
    "num_hidden_layers": "number of layers, of an encoder-decoder those of the encoder",
    "num_attention_heads": "number of attention heads in each layer",
    "intermediate_size": "width of the feed-forward network within each layer; none: 4 times the hidden size",
    "head_dim": "width of one attention head; none: the hidden size divided by the number of heads",
    "num_decoder_layers": "number of layers of the decoder in an encoder-decoder; none: as many as the encoder",
    "decoder_attention_heads": "attention heads of each layer of the decoder; none: as many as in the encoder",
    "decoder_intermediate_size": "width of the decoder's feed-forward networks; none: as in the encoder",
    "hidden_act": "activation function of the feed-forward networks; gelu is exact, gelu_new the tanh approximation",
    "ffn_gated": "multiply the activations by a second projection (GEGLU, T5 v1.1)",
    "ffn_bias": "add biases in the feed-forward networks",
    "attention_bias": "add biases to the projections of attention",
    "attention_scale": "divide attention scores by the root of the width of a head",
    "attention_type": "which tokens each token attends to: all, the previous ones, the following ones, all of a "
                      "prefix, or GPT-3's alternating pattern",
    "layer_pattern": "kinds of attention layers, global or local, repeated over the depth",
    "attention_window": "width in tokens of the window of local attention layers",
    "kernel_sizes": "widths in tokens of the convolutions of textcnn",
    "norm_placement": "place of the norms: after (post) or before (pre) attention and feed-forward network",
    "norm_type": "kind of normalization: with mean and variance, or with the root mean square alone",
    "norm_bias": "add biases in the norms",
    "first_norm": "apply a norm before the attention of the first layer",
    "embedding_norm": "apply a norm to the sum of the embeddings",
    "final_norm": "apply a norm after the last layer",
    "layer_norm_eps": "number added to the variance in norms",
    "embedding_size": "width of the token embeddings if they are projected to the hidden size (ALBERT)",
    "scale_embedding": "multiply token embeddings by the root of the hidden size",
    "type_vocab_size": "number of segment types; 0: no segment embeddings",
    "task_type_vocab_size": "number of task types (ERNIE 2.0); 0: no task embeddings",
    "position_type": "kind of positions: a learned table, sinusoids, relative buckets (T5), rotations, or none",
    "position_offset": "unused rows at the start of the position table (RoBERTa, BART: 2)",
    "positions_from_ids": "count positions over tokens that are not padding (RoBERTa)",
    "max_position_embeddings": "number of positions, which limits the length of a row",
    "relative_attention_num_buckets": "number of buckets of relative positions",
    "relative_attention_max_distance": "distance in tokens from which on relative positions share one bucket",
    "rope_theta": "base of the wavelengths of rotary positions",
    "local_rope_theta": "base of the wavelengths of rotary positions in local layers; none: as in the others",
    "rope_interleaved": "rotate pairs of neighbouring units, not of the two halves of a head",
    "share": "weights that all layers share (ALBERT: all)",
    "num_hidden_groups": "number of groups of layers, each of which shares its weights",
    "inner_group_num": "number of layers with separate weights within a group",
    "hidden_dropout_prob": "dropout probability of the output of attention and feed-forward networks",
    "attention_probs_dropout_prob": "dropout probability of attention weights",
    "embedding_dropout_prob": "dropout probability of the embeddings; none: as in the layers",
    "activation_dropout_prob": "dropout probability within the feed-forward networks",
    "final_dropout": "apply dropout after the final norm (T5)",
    "classifier_dropout": "dropout probability before a classification head; none: as in the layers",
    "layerdrop": "probability of skipping a layer in training (LayerDrop)",
    "initializer_range": "standard deviation of the initial weights",
    "initializer_scheme": "how that deviation varies: not at all, less in residual projections of deep models (GPT-2), "
                          "or by the number of inputs (T5)",
    "pooler": "add a dense layer with tanh over the first token",
    "tie_word_embeddings": "use the token embeddings as output weights of the language model",
    "lm_transform": "transform hidden states by a dense layer and a norm before the output weights of the language "
                    "model",
    "lm_transform_act": "activation function of that transformation; none: as in the layers",
    "lm_bias": "add a bias for each token to the scores of the language model",
    "lm_scale": "divide hidden states by the root of the hidden size before tied output weights (T5)",
    "head_act": "activation function of a dense layer with a norm at the start of every head (ModernBERT); none: no "
                "such layer",
    "head_bias": "add biases in that dense layer",
    "classifier_pooling": "vector that a classifier reads: the pooler, a token, or the mean",
    "classifier_act": "activation function of a hidden layer of the classifier; none: no hidden layer",
    "classifier_bias": "add biases to the output of the classifier",
    "choice_pooling": "vector that the head for multiple choice reads: the pooler, a token, or the mean",
    "choice_act": "activation function of a hidden layer of the head for multiple choice; none: no hidden layer",
    "pad_token_id": "id of the token that fills rows",
    "bos_token_id": "id of the token that starts a text",
    "eos_token_id": "id of the token that ends a text",
    "decoder_start_token_id": "id of the first token of a decoder",
    "language_code_first": "start the decoder with the code of the language (mBART)",
    "forced_bos_token_id": "id of the token that is always generated first",
    "forced_eos_token_id": "id of the token that is always generated last when the length limit is reached",
}


def _fields() -> list[tuple]:
    hints = typing.get_type_hints(Config)
    return [(field.name, hints[field.name] | None,
             flag(None, f"{DESCRIPTIONS.get(field.name, 'a field of the configuration')} (BERT-base: {field.default})"))
            for field in dataclasses.fields(Config) if field.name not in _NO_FLAGS]


ArchitectureOptions = dataclasses.make_dataclass("ArchitectureOptions", _fields(), kw_only=True, namespace={
    "__doc__": "A mixin for `TrainingOptions`; None keeps the preset's value of a field.",
    "HEADING": "architecture, in place of the preset's values",
    "overrides": lambda self: {name: value for name, _, _ in _fields() if (value := getattr(self, name)) is not None},
})
