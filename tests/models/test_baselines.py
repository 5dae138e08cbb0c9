"""TextCNN and BiLSTM: against NumPy and Keras, padding on any side, training, word vectors."""

import keras
import numpy as np
import pytest

import tfplm
from tests.models import cases
from tfplm.core.config import read_json
from tfplm.models.pretrained.weights import named_variables
from tfplm.models.word_vectors import load_word_vectors

NAMES = ["textcnn", "bilstm", "widths"]


def values_of(model) -> dict[str, np.ndarray]:
    return {path: np.array(variable) for path, variable in named_variables(model).items()}


@pytest.mark.parametrize("name", ["textcnn", "widths"])
def test_convolutions_by_hand(name):
    config = cases.CASES[name].replace(num_hidden_layers=1)
    model, ids = tfplm.from_config(config), np.array([[3, 9, 4, 6, 8, 12]], np.int32)
    weights = values_of(model)
    x, columns = weights["embeddings/word/embeddings"][ids[0]], []
    for width in config.kernel_sizes:
        kernel, bias = (weights[f"encoder/block_0/convolution_{width}/{leaf}"] for leaf in ("kernel", "bias"))
        padded = np.pad(x, (((width - 1) // 2, width // 2), (0, 0)))
        windows = np.stack([padded[start:start + width] for start in range(len(x))])  # [T,W,E]
        columns.append(np.maximum(np.einsum("twe,wef->tf", windows, kernel) + bias, 0))
    outputs = model(ids)
    np.testing.assert_allclose(outputs["sequence_output"][0], np.concatenate(columns, -1), atol=1e-5)
    np.testing.assert_allclose(outputs["pooled_output"][0], np.concatenate(columns, -1).max(0), atol=1e-5)


def test_lstm_equals_keras():
    config = cases.CASES["bilstm"]
    model, batch = tfplm.from_config(config), cases.batch("bilstm")
    weights, x = values_of(model), keras.ops.take(model.embeddings.word.embeddings, batch["input_ids"], axis=0)
    for block in ("block_0", "block_1"):
        layer = keras.layers.Bidirectional(keras.layers.LSTM(6, return_sequences=True))
        layer.build(x.shape)
        layer.set_weights([weights[f"encoder/{block}/{side}/lstm_cell/{leaf}"] for side in ("forward", "backward")
                           for leaf in ("kernel", "recurrent_kernel", "bias")])
        x = layer(x, mask=batch["attention_mask"].astype(bool))
    real, outputs = batch["attention_mask"] == 1, model(batch)
    np.testing.assert_allclose(outputs["sequence_output"][real], x[real], atol=1e-6)
    pooled = np.stack([row[kept].max(0) for row, kept in zip(np.array(x), real)])
    np.testing.assert_allclose(outputs["pooled_output"], pooled, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_padding_can_be_before_the_text(name):
    model, ids = cases.model(name), np.array([[1, 1, 5, 9, 4, 7], [5, 9, 4, 7, 1, 1], [1, 5, 9, 4, 7, 1]], np.int32)
    outputs = model({"input_ids": ids, "attention_mask": (ids != 1).astype("int32")})
    expected = model(ids[:1, 2:])
    for row, start in enumerate((2, 0, 1)):
        np.testing.assert_allclose(outputs["pooled_output"][row], expected["pooled_output"][0], atol=1e-6)
        np.testing.assert_allclose(outputs["sequence_output"][row, start:start + 4], expected["sequence_output"][0],
                                   atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_a_row_of_padding_only(name):
    ids, mask = np.array([[5, 6, 7], [1, 1, 1]], np.int32), np.array([[1, 1, 1], [0, 0, 0]], np.int32)
    outputs = cases.model(name)({"input_ids": ids, "attention_mask": mask})
    assert not np.any(outputs["pooled_output"][1]) and np.isfinite(outputs["sequence_output"]).all()


@pytest.mark.parametrize("preset", ["textcnn", pytest.param("bilstm", marks=pytest.mark.slow),
                                    pytest.param("bilstm-2-layers", marks=pytest.mark.slow)])
def test_a_user_fits_it(preset, tmp_path):
    """The task is to predict which of two characters is first, which depends on their order only."""
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    ids = rng.integers(10, 40, (128, 8)).astype("int32")
    places = np.sort(np.stack([rng.choice(8, 2, replace=False) for _ in range(128)]), axis=1) if "lstm" in preset else \
        np.tile([3, 4], (128, 1))
    labels = rng.integers(0, 2, 128)
    for row, (one, other) in enumerate(places):
        ids[row, [one, other]] = (1, 2) if labels[row] else (2, 1)
    model = tfplm.from_config(preset, "sequence_classification", num_labels=2, vocab_size=50, embedding_size=16,
                              hidden_size=30)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  metrics=["accuracy"], jit_compile=False)
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    model.fit(batch, labels, epochs=15, batch_size=32, verbose=0)
    assert model.evaluate(batch, labels, verbose=0)[1] > 0.95
    tfplm.save_pretrained(model, tmp_path)
    assert read_json(tmp_path / "config.json")["architectures"][0].endswith("ForSequenceClassification")
    again = tfplm.from_pretrained(tmp_path, "sequence_classification")
    assert type(again) is type(model) and again.loading_report.fresh == []
    np.testing.assert_array_equal(again.predict(batch, verbose=0), model.predict(batch, verbose=0))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["textcnn", "bilstm"])
def test_fit_with_xla(name):
    ids = np.random.default_rng(0).integers(3, 40, (16, 7)).astype("int32")
    model = tfplm.from_config(cases.CASES[name], "token_classification", num_labels=3)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=True)
    losses = model.fit({"input_ids": ids, "attention_mask": np.ones_like(ids)}, ids % 3, epochs=4, verbose=0,
                       batch_size=8).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(("preset", "fields", "message"), [
    ("textcnn", {"hidden_size": 100}, r"hidden_size 100 is not a multiple of 3, the number of kernel_sizes \[3, 4, 5\]"),
    ("textcnn", {"kernel_sizes": [3, 3]}, r"kernel_sizes is \[3, 3\], expected different positive numbers"),
    ("textcnn", {"kernel_sizes": [0]}, r"kernel_sizes is \[0\], expected"),
    ("bilstm", {"hidden_size": 33}, "hidden_size 33 is odd"),
])
def test_wrong_sizes(preset, fields, message):
    with pytest.raises(ValueError, match=message):
        tfplm.from_config(preset, vocab_size=50, **fields)


def test_other_layouts_have_no_names_for_them(tmp_path):
    model = cases.model("textcnn")
    with pytest.raises(ValueError, match="the layout 'tf1' of textcnn has no name for embeddings/word/embeddings"):
        tfplm.save_pretrained(model, tmp_path, format="tf1")


VECTORS = "4 3\n苹果 1 2 3\n果 4 5 6\n的 -1 0.5 1e-2\nof 7 8 9\n"
VOCABULARY = ["[PAD]", "果", "的", "of", "##of", "甜"]


def words_model(size: int = 3):
    return tfplm.from_config("textcnn", vocab_size=6, embedding_size=size, hidden_size=6)


@pytest.mark.parametrize("text", [VECTORS, VECTORS.partition("\n")[2], VECTORS.replace("\n", " \r\n")])
def test_word_vectors(text, tmp_path):
    path, model = tmp_path / "zh.vec", words_model()
    path.write_bytes(text.encode())
    before = np.array(model.embeddings.word.embeddings)
    assert load_word_vectors(model, path, VOCABULARY) == 3
    table = np.array(model.embeddings.word.embeddings)
    np.testing.assert_allclose(table[1:4], [[4, 5, 6], [-1, 0.5, 0.01], [7, 8, 9]])
    np.testing.assert_array_equal(table[[0, 4, 5]], before[[0, 4, 5]])


def test_word_vectors_with_a_tokenizer(data):
    path = data("word_vectors", "wiki.en.99.vec")
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    model = tfplm.from_config("bilstm", vocab_size=len(tokenizer), hidden_size=8)
    assert load_word_vectors(model, path, tokenizer) > 50
    lines = dict(line.split(" ", 1) for line in path.read_text(encoding="utf-8").splitlines()[1:])
    table = np.array(model.embeddings.word.embeddings)
    np.testing.assert_allclose(table[tokenizer.vocab["and"]], np.array(lines["and"].split(), np.float32))


@pytest.mark.parametrize(("text", "size", "message"), [
    (VECTORS, 4, r"zh.vec has vectors of 3 numbers, but the model's embedding_size is 4: .*embedding_size=3"),
    ("x 1 2 3\ny 4 5 6\n", 3, "none of the words in .*zh.vec is one of the 6 tokens"),
    ("果 1 2 3\n的 4 5\n", 3, r"zh.vec:2: '的' has 2 numbers, expected 3"),
    ("果 1 2 3\n的 4 5 x\n", 3, r"zh.vec:2: '的' has a vector that is not 3 numbers"),
    ("", 3, "zh.vec is empty"),
])
def test_wrong_word_vectors(text, size, message, tmp_path):
    (tmp_path / "zh.vec").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_word_vectors(words_model(size), tmp_path / "zh.vec", VOCABULARY)
