"""Sentence encoders as one function of ids: model, pooling, projections, whitening and normalization."""

import dataclasses

import tensorflow as tf

from tfplm.embed.encoder.pooling import pool
from tfplm.embed.encoder.program import head_outputs, hidden_states
from tfplm.embed.encoder.recipe import DenseModule, Recipe
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.sentence_transformers import supports
from tfplm.models.portable.portable import Portable
from tfplm.models.portable.signatures import check_float32, input_names, weight_bytes

_ACTIVATIONS = {"Identity": tf.identity, "Tanh": tf.tanh, "ReLU": tf.nn.relu, "Sigmoid": tf.sigmoid}


def recipe_of(encoder: SentenceEncoder) -> Recipe:
    """The recipe with a whitening as a projection."""
    if encoder.whitening is None:
        return encoder.recipe
    return dataclasses.replace(encoder.recipe, dense=(*encoder.recipe.dense, encoder.whitening.as_dense()))


def can_write_modules(recipe: Recipe) -> bool:
    """Returns True if sentence-transformers and fastembed can pool the last hidden states of the model themselves."""
    return supports(recipe.plan)


def portable_encoder(encoder: SentenceEncoder) -> Portable:
    """The function of an encoder: `input_ids`, `attention_mask`, `token_type_ids` `[B,T]`, padded on the right.

    Outputs: `last_hidden_state` `[B,T,H]`, first because sentence-transformers and fastembed pool the first output, if
    they can express the pooling; and `sentence_embedding` `[B,D]`, with pooling, projections, whitening and
    normalization (pooling NONE: `token_embeddings` `[B,T,D]`). The prompt of a recipe is part of the texts.
    """
    model, recipe = encoder.model, recipe_of(encoder)
    check_float32(model)
    if not recipe.pool_prompt and recipe.default_prompt:
        raise ValueError("the recipe leaves the tokens of its prompt out of the pooling, which a file for other programs "
                         "cannot know; expected include_prompt: true: change 1_Pooling/config.json, or export the model "
                         "with --head none")
    states = ("last_hidden_state",) if can_write_modules(recipe) else ()
    vectors = "token_embeddings" if recipe.plan.of_tokens else "sentence_embedding"

    def function(batch: dict) -> dict:
        plan, mask = recipe.plan, batch["attention_mask"]
        if plan.mask_cls_sep:
            mask = _without_ends(mask)
        inputs = {**batch, "attention_mask": mask}
        if plan.of_model:
            return {vectors: _finished(head_outputs(model, inputs, plan.strategies[0]), recipe)}
        hidden = hidden_states(model, inputs, plan)
        return {"last_hidden_state": hidden, vectors: _finished(pool(hidden, mask, plan.strategies), recipe)}

    return Portable(function, {name: tf.TensorSpec([None, None], tf.int32) for name in input_names(model)},
                    (*states, vectors), weight_bytes=weight_bytes(model), config=model.config,
                    tokenizer=encoder.tokenizer, max_length=recipe.max_length, prompt=encoder.prompt(None),
                    lowercase=recipe.lowercase)


def _without_ends(mask):
    """The mask `[B,T]` without the first and the last token."""
    columns, count = tf.range(tf.shape(mask)[1])[None], tf.reduce_sum(mask, axis=1, keepdims=True)
    return mask * tf.cast(columns > 0, tf.int32) * tf.cast(tf.not_equal(columns, count - 1), tf.int32)


def _finished(vectors, recipe: Recipe):
    """Projections and normalization, as `SentenceEncoder` applies them."""
    for module in recipe.dense:
        vectors = _dense(vectors, module)
    if recipe.normalize:
        lengths = tf.sqrt(tf.reduce_sum(vectors * vectors, -1, keepdims=True))
        vectors = vectors / tf.maximum(lengths, 1e-12)
    return vectors


def _dense(vectors, module: DenseModule):
    y = tf.matmul(vectors, tf.constant(module.kernel, tf.float32))
    return _ACTIVATIONS[module.activation](y if module.bias is None else y + tf.constant(module.bias, tf.float32))
