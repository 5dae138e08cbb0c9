"""ELMo: published vectors, files, states, padding, the scalar mix."""

import json

import h5py
import keras
import numpy as np
import pytest

import tfplm
from tfplm.models.elmo import ElmoOptions, ScalarMix, character_ids
from tfplm.models.elmo.options import PRESETS

SMALL = ElmoOptions(character_size=3, filters=((1, 4), (2, 5), (3, 2)), highways=1, longest_word=12, activation="tanh",
                    layers=3, units=7, projection=5, skip_connections=True)
SENTENCES = [["苹果", "和", "华为"], ["bank"], ["the", "river", "bank", "naïve", "antidisestablishmentarianism"]]


@pytest.fixture(scope="module")
def small():
    keras.utils.set_random_seed(3)
    model = tfplm.Elmo(SMALL)
    for variable in model.weights:
        variable.assign(np.random.default_rng(len(variable.shape)).normal(0, 0.4, variable.shape))
    return model


def test_the_published_vectors_with_states_that_go_on(data):
    folder = data("tiny_checkpoints", "elmo_toy")
    elmo = tfplm.Elmo.from_pretrained(folder)
    documents = json.loads((folder / "lm_embeddings_sentences.json").read_text())
    files = [h5py.File(folder / f"lm_embeddings_{number}.hdf5") for number in range(3)]
    for index in range(len(documents[0])):
        batch = [document[index].split() for document in documents]
        for found, file in zip(elmo.embed(batch), files, strict=True):
            expected = np.concatenate([file[str(index)][0], file[str(index)][1]], axis=-1)
            np.testing.assert_allclose(found[2], expected, atol=1e-6)
    elmo.reset_states()
    again, first = elmo.embed([documents[0][0].split()])[0], np.concatenate(list(files[0]["0"]), axis=-1)
    np.testing.assert_allclose(again[2], first, atol=1e-6)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_elmo(weights, options, words):
    """The layers of one sentence, word by word."""
    ids = character_ids([words], options.longest_word)[0]
    table = np.concatenate([np.zeros((1, options.character_size)), weights["words/characters"]])
    act = np.tanh if options.activation == "tanh" else lambda x: np.maximum(x, 0)
    vectors = []
    for row in table[ids]:
        parts = []
        for index, (width, _) in enumerate(options.filters):
            kernel = weights[f"words/convolution_{index}/kernel"]
            windows = np.stack([row[start:start + width] for start in range(len(row) - width + 1)])
            parts.append(act(np.einsum("nwc,wcf->nf", windows, kernel) + weights[f"words/convolution_{index}/bias"]).max(0))
        x = np.concatenate(parts)
        for index in range(options.highways):
            carry, transform = [x @ weights[f"words/highway_{index}/{part}/kernel"]
                                + weights[f"words/highway_{index}/{part}/bias"] for part in ("carry", "transform")]
            x = sigmoid(carry) * np.maximum(transform, 0) + (1 - sigmoid(carry)) * x
        vectors.append(x @ weights["words/project/kernel"] + weights["words/project/bias"])
    layers = [np.concatenate([vectors, vectors], axis=-1)]
    sides = {"forward": vectors, "backward": vectors[::-1]}
    for index in range(options.layers):
        for side in sides:
            cell, outputs = f"{side}/cell_{index}", []
            output, memory = np.zeros(options.projection), np.zeros(options.units)
            for x in sides[side]:
                gates = np.concatenate([x, output]) @ weights[f"{cell}/kernel"] + weights[f"{cell}/bias"]
                enter, candidate, forget, leave = np.split(gates, 4)
                memory = np.clip(sigmoid(forget + 1) * memory + sigmoid(enter) * np.tanh(candidate), -3, 3)
                output = np.clip(sigmoid(leave) * np.tanh(memory) @ weights[f"{cell}/projection"], -3, 3)
                outputs.append(output + x if options.skip_connections and index else output)
            sides[side] = outputs
        layers.append(np.concatenate([sides["forward"], sides["backward"][::-1]], axis=-1))
    return np.stack(layers)[:, 1:-1]


def test_equals_a_numpy_reference_with_padding_and_skip_connections(small):
    weights = {path: np.array(variable, np.float64) for path, variable in small.named_variables().items()}
    small.reset_states()
    for found, words in zip(small.embed(SENTENCES), SENTENCES, strict=True):
        assert found.shape == (4, len(words), 10)
        np.testing.assert_allclose(found, numpy_elmo(weights, SMALL, words), atol=2e-6)


def test_states_go_on_from_batch_to_batch(small):
    small.reset_states()
    together = small.embed([["a", "b"], ["c"]])
    second = small.embed([["d"], ["e", "f"], ["g"]])
    alone = small.embed([["d"]])
    small.reset_states()
    np.testing.assert_allclose(small.embed([["a", "b"]])[0], together[0], atol=1e-6)
    np.testing.assert_allclose(small.embed([["d"]])[0], second[0], atol=1e-6)
    assert np.abs(alone[0] - second[0]).max() > 1e-4
    small.reset_states()
    assert np.abs(small.embed([["d"]])[0] - second[0]).max() > 1e-4


def test_layout_of_allennlp_out_and_in(small, tmp_path):
    small.save_pretrained(tmp_path)
    again = tfplm.Elmo.from_pretrained(tmp_path)
    assert again.options == SMALL
    ids = character_ids(SENTENCES, SMALL.longest_word)
    np.testing.assert_array_equal(again(ids), small(ids))


def test_a_keras_file_keeps_everything(small, tmp_path):
    small.save(tmp_path / "elmo.keras")
    again = keras.models.load_model(tmp_path / "elmo.keras")
    ids = character_ids(SENTENCES, SMALL.longest_word)
    np.testing.assert_array_equal(again(ids), small(ids))


@pytest.mark.parametrize(("name", "millions"), [("elmo-small", 13.6), ("elmo-medium", 28.0), ("elmo-original", 93.6)])
def test_presets_have_the_published_numbers_of_parameters(name, millions):
    from tfplm.models.elmo.files import names

    count = sum(int(np.prod(shape)) for _, _, shape in names(ElmoOptions.preset(name)))
    assert round(count / 1e6, 1) == millions
    assert name in PRESETS


def test_damaged_and_mismatching_files(small, tmp_path):
    small.save_pretrained(tmp_path)
    options = json.loads((tmp_path / "options.json").read_text())
    options["lstm"]["dim"] = 8
    (tmp_path / "options.json").write_text(json.dumps(options))
    with pytest.raises(ValueError, match=r"LSTMCell/W_0 has the shape \[10, 28\], expected \[10, 32\] by options.json"):
        tfplm.Elmo.from_pretrained(tmp_path)
    options["lstm"].update(dim=7, n_layers=4)
    (tmp_path / "options.json").write_text(json.dumps(options))
    with pytest.raises(ValueError, match="has no tensor RNN_0/RNN/MultiRNNCell/Cell3"):
        tfplm.Elmo.from_pretrained(tmp_path)
    (tmp_path / "options.json").write_text("[]")
    with pytest.raises(ValueError, match="options.json is no file of options"):
        tfplm.Elmo.from_pretrained(tmp_path)
    small.save_pretrained(tmp_path)
    (tmp_path / "weights.hdf5").write_bytes((tmp_path / "weights.hdf5").read_bytes()[:900])
    with pytest.raises(ValueError, match="weights.hdf5 is no HDF5 file|weights.hdf5 cannot be read"):
        tfplm.Elmo.from_pretrained(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no file"):
        tfplm.Elmo.from_pretrained(tmp_path.parent)
    with pytest.raises(TypeError, match="a sentence is the text 'not split'"):
        small.embed(["not split"])


def test_scalar_mix_of_layers_with_normalisation_over_real_tokens():
    states = np.random.default_rng(0).normal(2, 3, (2, 3, 4, 5)).astype(np.float32)
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0]])
    mix = ScalarMix(3, layer_norm=True, l2=0.5)
    mix.mix.assign([0.0, 1.0, -1.0])
    mix.gamma.assign(2.0)
    weights = np.exp([0, 1, -1]) / np.exp([0, 1, -1]).sum()
    expected = np.zeros((2, 4, 5))
    for layer in range(3):
        real = states[:, layer][mask == 1]
        expected += 2 * weights[layer] * (states[:, layer] - real.mean()) / real.std()
    np.testing.assert_allclose(np.array(mix(states, mask))[mask == 1], expected[mask == 1], atol=1e-5)
    assert float(sum(mix.losses)) == pytest.approx(0.5 * 2)
    plain = ScalarMix(3)
    np.testing.assert_allclose(plain(states), states.mean(1), atol=1e-6)
