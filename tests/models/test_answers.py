"""Properties of models that other code uses instead of the class and the configuration."""

import numpy as np
import pytest
import tensorflow as tf

from tests.models import cases
from tfplm.models.pretrained.weights import BACKBONE, named_variables

# is_seq2seq, can_exit_early, heads_read_states, can_pack, is_causal
ANSWERS = {"bert": (0, 1, 1, 1, 0), "bert_causal": (0, 1, 1, 1, 1), "causal_reverse": (0, 1, 1, 1, 0),
           "prefix": (0, 1, 1, 0, 0), "gpt2": (0, 1, 1, 1, 1), "sparse": (0, 1, 1, 1, 1), "local": (0, 1, 1, 1, 0),
           "albert": (0, 1, 1, 1, 0), "bart": (1, 0, 0, 0, 0), "t5": (1, 0, 0, 0, 0), "t5_encoder": (0, 1, 1, 1, 0),
           "textcnn": (0, 1, 0, 0, 0), "bilstm": (0, 1, 0, 0, 0)}


@pytest.mark.parametrize("name", ANSWERS)
def test_properties(name):
    model = cases.model(name)
    found = (model.is_seq2seq, model.can_exit_early, model.heads_read_states, model.can_pack, model.is_causal)
    assert found == tuple(map(bool, ANSWERS[name]))


@pytest.mark.parametrize("name", cases.FAMILIES)
def test_roots_of_the_backbone(name):
    model = cases.model(name, cases.LM[cases.CASES[name].architecture])
    roots = {path.partition("/")[0] for path in named_variables(model)}
    assert roots & BACKBONE <= model.backbone_roots <= BACKBONE  # T5's decoder embeddings have no separate weights
    heads = {path.partition("/")[0] for path in named_variables(model.head)}
    assert roots - model.backbone_roots - {"pooler"} <= heads


@pytest.mark.parametrize("name", [name for name, answers in ANSWERS.items() if answers[1]])
def test_an_early_exit_skips_layers(name):
    """The states of `features(depth=1)` are those after the first layer, and no weight of another layer has a gradient."""
    model = cases.model(name)
    batch = {key: tf.constant(array) for key, array in cases.batch(name).items()}
    states = model(batch, output_hidden_states=True)["hidden_states"]
    with tf.GradientTape() as tape:
        early = model.features(batch, depth=1)["sequence_output"]
    np.testing.assert_allclose(early, states[1], atol=1e-6)
    unused = [weight for layer in model.unused_layers(1) for weight in layer.trainable_weights]
    gradients = tape.gradient(early, [weight.value for weight in model.trainable_weights])
    reached = {id(weight) for weight, gradient in zip(model.trainable_weights, gradients) if gradient is not None}
    assert not reached & {id(weight) for weight in unused}
    assert model.unused_layers(model.config.num_hidden_layers) == []
