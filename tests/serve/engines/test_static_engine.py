"""Static embeddings are served as the vectors of any other encoder."""

import numpy as np
import pytest

from tests.embed.static.static_cases import vectors, write
from tfplm import SentenceEncoder
from tfplm.options.serve import ServeOptions
from tfplm.serve.engines.catalogue import make_engine


@pytest.mark.parametrize("settings", [{}, {"max_seq_len": "40"}, {"max_seq_len": "NONE", "normalize": False}], ids=str)
def test_vectors_of_a_server(tmp_path, settings):
    folder = write(tmp_path, {"embeddings": vectors()})
    engine = make_engine(ServeOptions(source=str(folder), **settings))
    assert engine.info.parameters == 28 * 6 and engine.info.dimension == 6
    length = 40 if settings.get("max_seq_len") == "40" else None
    encoder = SentenceEncoder.from_pretrained(folder, normalize=settings.get("normalize"), max_length=length)
    texts = ["the cat sleeps on the warm stone", "unheard", "the cat ||| sleeps"]
    found = engine.encode([*texts, ["the", "cat"], [2, 3]])
    expected = encoder.encode([*texts[:2], ("the cat", "sleeps"), "the cat", "the cat"])
    np.testing.assert_allclose([each.vector for each in found], expected, atol=1e-6)


def test_settings_of_layers_are_refused(tmp_path):
    folder = write(tmp_path, {"embeddings": vectors()})
    with pytest.raises(ValueError, match="expected the mean over the last layer, the only one of static embeddings"):
        make_engine(ServeOptions(source=str(folder), pooling_layer=[-2]))
