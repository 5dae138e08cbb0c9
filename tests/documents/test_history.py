"""The second document (NNLM to BERT): GPT's loss and its input transformations."""

import json

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import save_bert, train
from tfplm.adapt.methods.auxiliary_lm import WithLanguageModel
from tfplm.adapt.tasks.choices import MultipleChoice
from tfplm.adapt.tasks.encoding import TOKENS, add_gpt_tokens
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.adapt.tasks.texts import Classification, Regression
from tfplm.data.tasks.read import read_examples
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.reading import Reading

START, DELIMITER, EXTRACT = TOKENS


@pytest.fixture(scope="module")
def gpt(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("gpt") / "gpt", "openai-gpt", intermediate_size=64)


@pytest.fixture(scope="module")
def tokenizer(gpt):
    tokenizer = tfplm.Tokenizer.from_pretrained(gpt)
    add_gpt_tokens(tokenizer)
    return tokenizer


def test_lines_94_to_125_the_losses(gpt):
    """L1 = log P(u_i | u_<i), L2 = log softmax(h_l^m W_y), L3 = L2 + lambda L1, computed by hand.

    The document's sums are means here, L1 over tokens, L2 over examples.
    """
    keras.utils.set_random_seed(3)
    model = tfplm.from_pretrained(gpt, "sequence_classification", num_labels=3)
    both = WithLanguageModel(model, 0.3)
    ids, labels = np.array([[8, 9, 10, 11, 12], [13, 14, 15, 0, 0]], np.int32), np.array([2, 1])
    batch = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int32)}
    states = np.asarray(tfplm.from_pretrained(gpt)(batch)["sequence_output"], np.float64)  # h_n
    table = np.asarray(named_variables(model)["embeddings/word/embeddings"], np.float64)  # W_e

    def log_softmax(scores):
        return scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)

    words = log_softmax(states @ table.T)
    l1 = [words[row, column - 1, ids[row, column]] for row, last in ((0, 5), (1, 3)) for column in range(1, last)]
    kernel = np.asarray(named_variables(model)["classifier/kernel"], np.float64)  # W_y
    l2 = log_softmax(np.stack([states[0, 4], states[1, 2]]) @ kernel)[[0, 1], labels]
    both.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True, optimizer="sgd")
    found = both.train_on_batch(batch, labels)
    assert float(np.ravel(found)[0]) == pytest.approx(-np.mean(l2) - 0.3 * np.mean(l1), rel=1e-4)


def shown(tokenizer, ids) -> list[str]:
    """The special tokens of a row, and `*` for the text between them."""
    tokens = [token if token in TOKENS else "*" for token in tokenizer.convert_ids_to_tokens(list(map(int, ids)))]
    return [token for index, token in enumerate(tokens) if token != "*" or tokens[index - 1] != "*"]


def test_lines_127_to_130_entailment_and_classification(tokenizer, data):
    examples = read_examples(str(data("glue_small", "RTE", "dev.tsv")), "text", Reading())[:3]
    task = Classification(tokenizer, TaskSettings(max_length=40, pairs=True))
    for feature in task.features(examples, labelled=False):
        assert shown(tokenizer, feature["input_ids"]) == [START, "*", DELIMITER, "*", EXTRACT]
    texts = read_examples(str(data("sst2", "test.tsv")), "text", Reading())[:3]
    for feature in Classification(tokenizer, TaskSettings(max_length=12)).features(texts, labelled=False):
        assert shown(tokenizer, feature["input_ids"]) == [START, "*", EXTRACT]


def test_lines_127_to_130_similarity_in_both_orders(gpt, tokenizer, data):
    examples = read_examples(str(data("stsb", "dev.tsv")), "text", Reading(label_kind="number"))[:3]
    task = Regression(tokenizer, TaskSettings(max_length=64, pairs=True, both_orders=True))
    (feature, *_) = task.features(examples, labelled=False)
    rows = [[int(token) for token, mask in zip(row, real) if mask]
            for row, real in zip(feature["input_ids"], feature["attention_mask"])]
    sides = [tokenizer(text, add_special_tokens=False)["input_ids"][0].tolist()
             for text in (examples[0].text, examples[0].pair)]
    start, delimiter, extract = (tokenizer.convert_tokens_to_ids(token) for token in TOKENS)
    assert rows == [[start, *a, delimiter, *b, extract] for a, b in (sides, sides[::-1])]
    model = tfplm.models.resize_token_embeddings(
        tfplm.from_pretrained(gpt, "sequence_classification", num_labels=1), len(tokenizer))
    each = [model({"input_ids": np.array([row], np.int32)}).numpy() for row in rows]
    together = model({name: feature[name][None] for name in ("input_ids", "attention_mask")})
    np.testing.assert_allclose(together, each[0] + each[1], atol=1e-5)  # added, so that the order has no influence


def test_lines_127_to_130_multiple_choice(tokenizer, data):
    examples = read_examples(str(data("c3", "d_dev.jsonl")), "choice", Reading())[:3]
    for feature, example in zip(MultipleChoice(tokenizer, TaskSettings(max_length=64)).features(examples, False), examples):
        assert len(feature["input_ids"]) >= len(example.choices)
        for row, real in zip(feature["input_ids"][:len(example.choices)], feature["attention_mask"]):
            assert shown(tokenizer, row[real > 0]) == [START, "*", DELIMITER, "*", EXTRACT]


@pytest.mark.slow
@pytest.mark.parametrize("task, files, options", [
    ("classification", ("glue_small/RTE", "dev.tsv"), {}),
    ("regression", ("stsb", "dev.tsv"), {"both_orders": True}),
    ("multiple-choice", ("c3", "d_dev.jsonl"), {})])
def test_lines_108_to_130_fine_tuning_with_the_auxiliary_loss(gpt, data, tmp_path, task, files, options):
    folder, name = data(files[0]), files[1]
    lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)[:33]
    (tmp_path / name).write_text("".join(lines), encoding="utf-8")
    result = train(gpt, tmp_path / "model", task=task, train_file=str(tmp_path / name), dev_file=str(tmp_path / name),
                   gpt_inputs=True, auxiliary_lm=0.5, epochs=1, max_length=48, **options)
    saved = json.loads((result.output / "config.json").read_text())
    assert saved["model_type"] == "openai-gpt" and result.dev
    assert set(TOKENS) <= set(tfplm.Tokenizer.from_pretrained(result.output).vocab)
