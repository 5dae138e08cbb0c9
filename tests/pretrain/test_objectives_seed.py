"""Objectives: the same seed gives the same weights, and features are computed once."""

import keras
import numpy as np

from tests.pretrain.pretraining_cases import batches_of, first_batch, make
from tfplm.pretrain.objectives.objective import Forward


def test_same_seed_same_weights():
    def trained():
        model = make("mlm+sop")
        for batch in list(batches_of(model, seed=5).epoch(0))[:3]:
            model.train_on_batch(batch)
        return [keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables]

    for one, two in zip(trained(), trained()):
        np.testing.assert_array_equal(one, two)


def test_forward_computes_features_once():
    model = make("mlm+nsp+tagging")
    calls = []
    features = model.inner.features
    vars(model.inner)["features"] = lambda *args, **keywords: calls.append(1) or features(*args, **keywords)
    model(first_batch(model))
    assert len(calls) == 1 and isinstance(Forward(model.inner, {}, False), Forward)
