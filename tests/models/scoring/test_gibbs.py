"""Gibbs sampling: known distributions, seeds, settings, errors."""

import keras
import numpy as np
import pytest

from tests.models.scoring.language_model_cases import save
from tfplm.models.scoring.gibbs import Chains, GibbsSettings, draw, gibbs_sample
from tfplm.models.scoring.language_model import open_language_model


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    keras.utils.set_random_seed(3)
    return save("bert", tmp_path_factory.mktemp("bert"))


def test_draw_follows_softmax_with_temperature_and_top_k():
    rng, scores = np.random.default_rng(0), np.log([0.5, 0.3, 0.15, 0.05])
    logits = np.broadcast_to(scores, (40_000, 4))
    for temperature, top_k in ((1.0, 0), (0.5, 0), (2.0, 3), (1.0, 2), (1.0, 1)):
        expected = np.exp(scores / temperature)
        expected[top_k or 4:] = 0
        found = np.bincount(draw(logits, rng, temperature, top_k), minlength=4) / len(logits)
        np.testing.assert_allclose(found, expected / expected.sum(), atol=0.01)


def test_one_position_is_sampled_from_the_conditional_of_the_model(bert):
    opened = open_language_model(bert.folder)
    ids = [Chains(opened, GibbsSettings(length=1, prompt="曹操", sweeps=1, top_k=0), 4000, np.random.default_rng(n))
           for n in range(2)]
    for chains in ids:
        chains.run()
    found = np.concatenate([chains.ids[:, 3] for chains in ids])
    logits = np.asarray(bert.model(bert.tokenizer("曹操[MASK]")))[0, 3].astype(float)
    logits[bert.tokenizer.all_special_ids] = -np.inf
    expected = np.exp(logits - np.logaddexp.reduce(logits))
    frequency = np.bincount(found, minlength=len(expected)) / len(found)
    assert np.abs(frequency - expected).sum() < 0.1 and frequency[bert.tokenizer.all_special_ids].sum() == 0


@pytest.mark.parametrize("updates", ["sequential", "random", "parallel"])
def test_texts_have_the_prompt_the_length_and_no_special_token(bert, updates):
    texts = gibbs_sample(bert.folder, 5, prompt="玄德", length=6, updates=updates, sweeps=3, burn_in=1, seed=1)
    assert len(texts) == 5 and len(set(texts)) > 1
    for text in texts:
        assert text.startswith("玄德") and "[" not in text


def test_the_seed_determines_the_texts(bert):
    def texts(seed):
        return gibbs_sample(bert.model, 3, tokenizer=bert.tokenizer, length=5, sweeps=2, seed=seed)

    assert texts(1) == texts(1) != texts(2)


def test_batches_are_complete_and_rows_differ(bert):
    texts = gibbs_sample(bert.folder, 7, length=8, sweeps=1, batch_size=3, top_k=0)
    assert len(texts) == 7 and len(set(texts)) == 7


def test_top_1_without_burn_in_is_the_most_likely_token(bert):
    (text,) = gibbs_sample(bert.folder, 1, length=1, prompt="天", sweeps=1, burn_in=0, top_k=1)
    logits = np.asarray(bert.model(bert.tokenizer("天[MASK]")))[0, 2].copy()
    logits[bert.tokenizer.all_special_ids] = -np.inf
    assert text == bert.tokenizer.decode([bert.tokenizer.vocab["天"], logits.argmax()])


def test_errors(bert, tmp_path):
    with pytest.raises(ValueError, match="32 tokens .* has 24 positions: use a length of at most 22"):
        gibbs_sample(bert.folder, 1, length=30)
    with pytest.raises(ValueError, match="updates is 'gibbs'; expected 'sequential', 'random' or 'parallel'"):
        gibbs_sample(bert.folder, 1, updates="gibbs")
    with pytest.raises(ValueError, match="temperature is 0; expected more than 0: .* use top_k=1"):
        gibbs_sample(bert.folder, 1, temperature=0)
    with pytest.raises(TypeError, match="unexpected keyword argument 'lenght'"):
        gibbs_sample(bert.folder, 1, lenght=3)
    save("gpt2", tmp_path)
    with pytest.raises(ValueError, match="a causal language model; Gibbs sampling needs a masked one with a mask"):
        gibbs_sample(tmp_path)
