"""`Predictor` with another program: the predictions of TensorFlow."""

import numpy as np
import pytest

from tests.models.portable.portable_cases import needs
from tfplm.adapt.finetune.predictor import Predictor

INPUTS = {"classifier": ["这部电影非常好看", "好", "演员的表演很糟糕" * 9, ""],
          "tagger": ["我在北京大学学习", "他去了广州" * 5],
          "answerer": [("鲁迅的本名是什么?", "鲁迅于1881年出生于浙江绍兴,他的本名是周树人,是中国著名的文学家。" * 3)]}


def near(first, second):
    """Equal up to rounding of numbers."""
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(near(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(near, first, second))
    return first == second if not isinstance(first, float) else bool(np.isclose(first, second, atol=1e-5))


@pytest.mark.parametrize("backend", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
@pytest.mark.parametrize("trained", [
    pytest.param("classifier", marks=pytest.mark.slow), pytest.param("tagger", marks=pytest.mark.slow),
    pytest.param("answerer", marks=pytest.mark.slow)])
def test_predictions(trained, backend, request):
    needs(backend)
    folder = request.getfixturevalue(trained).folder
    expected = Predictor.from_pretrained(folder).predict(INPUTS[trained])
    assert near(expected, Predictor.from_pretrained(folder, backend=backend).predict(INPUTS[trained]))


def test_models_that_write_texts_stay_in_tensorflow(tmp_path):
    from tfplm import from_config
    from tfplm.adapt.finetune.inference import task_session
    from tfplm.models.portable.cache import Backend

    model = from_config("gpt2", "causal_lm", vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=1,
                        intermediate_size=16, max_position_embeddings=8)
    with pytest.raises(ValueError, match="the model writes texts .its head: causal_lm., .*: use the backend tensorflow"):
        task_session(model, Backend("onnx", "float32", tmp_path))
