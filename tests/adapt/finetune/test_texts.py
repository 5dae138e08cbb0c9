"""Classification, multi-label classification and regression: from a file to a saved model with the same predictions."""

import json
import shutil

import keras
import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import BAD, GOOD, TINY, train, write_texts
from tfplm.adapt.finetune.data import read_split
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.tasks.texts import Regression
from tfplm.data.tasks.examples import TextExample
from tfplm.models.pretrained.api import from_pretrained
from tfplm.options.reading import Reading
from tfplm.tokenizers import Tokenizer


def test_classification_overfits_a_few_examples(classifier):
    result = classifier.result
    assert result.dev["accuracy"] == 1.0 and result.test["accuracy"] == 1.0 and result.dev["mcc"] == 1.0
    assert result.history["loss"][-1] < 0.5 * result.history["loss"][0]
    assert len(result.seconds) == len(result.history["loss"]) == len(result.history["val_accuracy"])
    assert {"val_accuracy", "val_f1_macro", "val_mcc", "val_loss", "loss"} <= set(result.history)


def test_files_of_the_output_folder(classifier):
    names = {path.name for path in classifier.folder.iterdir()}
    assert {"config.json", "model.safetensors", "task.json", "finetune.json", "results.json", "vocab.txt",
            "tokenizer.json", "tokenizer_config.json", "test_predictions.jsonl"} <= names
    assert not [name for name in names if ".part" in name]
    config = json.loads((classifier.folder / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["BertForSequenceClassification"] and config["model_type"] == "bert"
    assert config["id2label"] == {"0": "好评", "1": "差评"} and config["label2id"] == {"好评": 0, "差评": 1}
    numbers = json.loads((classifier.folder / "results.json").read_text(encoding="utf-8"))
    assert numbers["dev"] == classifier.result.dev and numbers["test"] == classifier.result.test
    assert numbers["history"] == classifier.result.history


def test_from_pretrained_reads_head_and_labels(classifier):
    model = tfplm.from_pretrained(classifier.folder, "sequence_classification")
    assert model.config.id2label == {0: "好评", 1: "差评"} and not model.loading_report.fresh
    batch = tfplm.Tokenizer.from_pretrained(classifier.folder)([*GOOD, *BAD])
    np.testing.assert_array_equal(np.argmax(model(batch), -1), [0] * len(GOOD) + [1] * len(BAD))


def test_predictions_are_the_same_after_saving(classifier):
    texts = [*GOOD, *BAD, "没见过的句子"]
    before = Predictor(classifier.result.model, classifier.result.task).predict(texts)
    after = Predictor.from_pretrained(classifier.folder).predict(texts)
    assert after == before
    assert [row["label"] for row in after[:-1]] == ["好评"] * len(GOOD) + ["差评"] * len(BAD)
    assert list(after[0]["probabilities"]) == ["好评", "差评"] and list(after[-2]["probabilities"]) == ["差评", "好评"]
    assert sum(after[-1]["probabilities"].values()) == pytest.approx(1)


def test_evaluate_returns_the_scores_of_the_training(classifier, tmp_path, capsys, terminal):
    scores = evaluate(source=str(classifier.folder), data=str(classifier.data), quiet=True,
                      output=str(tmp_path / "new" / "scores.json"), pictures=str(tmp_path / "pictures"))
    assert scores == pytest.approx(classifier.result.test)
    assert ["accuracy", "1.0000"] in [line.split() for line in capsys.readouterr().out.splitlines()]
    assert json.loads((tmp_path / "new" / "scores.json").read_text(encoding="utf-8")) == scores
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"confusion.png", "precision_recall.png"}
    low = evaluate(source=str(classifier.folder), data=str(classifier.data / "dev.tsv"), quiet=True, dtype="bfloat16")
    assert low["accuracy"] == 1.0 and low["loss"] == pytest.approx(scores["loss"], abs=0.05)


def test_unseen_labels_count_as_errors(classifier, tmp_path):
    (tmp_path / "test.tsv").write_text(f"text\tlabel\n{GOOD[0]}\t好评\n{BAD[0]}\t中评\n", encoding="utf-8")
    scores = evaluate(source=str(classifier.folder), data=str(tmp_path / "test.tsv"), quiet=True)
    assert scores["accuracy"] == 0.5 and scores["recall/中评"] == 0 and scores["loss"] > 10
    evaluate(source=str(classifier.folder), data=str(tmp_path / "test.tsv"), quiet=True, pictures=str(tmp_path / "p"))


def test_evaluate_rejects_data_without_labels(classifier, tmp_path):
    (tmp_path / "test.txt").write_text("\n".join(GOOD) + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="the examples have no labels; expected a label for each, .* tfplm predict"):
        evaluate(source=str(classifier.folder), data=str(tmp_path / "test.txt"), quiet=True)
    with pytest.raises(FileNotFoundError, match=r"has no task.json; expected a folder that tfplm finetune wrote"):
        evaluate(source=str(tmp_path), data=str(tmp_path / "test.txt"), quiet=True)


@pytest.mark.slow
def test_pairs(tiny, tmp_path):
    rows = [(text, other, "1" if text == other else "0") for text, other in
            [(text, text) for text in GOOD] + list(zip(GOOD, BAD))]
    data = write_texts(tmp_path / "data", ("train", "dev"), rows, repeat=40)
    result = train(tiny, tmp_path / "model", data=str(data), epochs=3)
    assert result.dev["accuracy"] >= 0.9
    pair = [TextExample(GOOD[0], BAD[0]), TextExample(GOOD[0], GOOD[0])]
    (first, _), features = Predictor.from_pretrained(tmp_path / "model").predict(pair), result.task.features(pair, False)
    assert first["label"] == "0" and features[0]["token_type_ids"].sum() == len(BAD[0]) + 1


@pytest.mark.slow
def test_several_labels(tiny, tmp_path):
    rows = [(text, "正面" if index % 2 else "正面|电影") for index, text in enumerate(GOOD)]
    rows += [(text, "" if index % 2 else "电影") for index, text in enumerate(BAD)]
    data = write_texts(tmp_path / "data", ("train", "dev"), rows)
    result = train(tiny, tmp_path / "model", task="multi-label", data=str(data), epochs=6)
    assert result.dev["f1_micro"] > 0.95 and result.dev["subset_accuracy"] > 0.9
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["problem_type"] == "multi_label_classification"
    predictions = Predictor.from_pretrained(tmp_path / "model").predict([GOOD[0], GOOD[1], BAD[1]])
    assert [set(row["labels"]) for row in predictions] == [{"正面", "电影"}, {"正面"}, set()]
    unseen = [TextExample(GOOD[0], label=("正面", "电影", "书")), TextExample(GOOD[1], label=("正面",))]
    scores = result.task.score(predictions[:2], unseen)
    assert scores["subset_accuracy"] == 0.5 and scores["f1_micro"] == pytest.approx(2 * 3 / 7)


@pytest.mark.slow
def test_regression(tiny, tmp_path):
    rows = [(text, str(84 + index / 10)) for index, text in enumerate(GOOD)]  # far from 0
    rows += [(text, str(81 + index / 10)) for index, text in enumerate(BAD)]
    data = write_texts(tmp_path / "data", ("train", "dev"), rows)
    result = train(tiny, tmp_path / "model", task="regression", data=str(data), epochs=8)
    assert result.dev["pearson"] > 0.95 and result.dev["mse"] < 0.3
    config = json.loads((tmp_path / "model" / "config.json").read_text(encoding="utf-8"))
    assert config["problem_type"] == "regression"
    values = [row["value"] for row in Predictor.from_pretrained(tmp_path / "model").predict([GOOD[0], BAD[0]])]
    assert values[0] > values[1]


def test_a_new_regression_head_predicts_the_mean(tiny):
    model = from_pretrained(tiny, "sequence_classification", num_labels=1)
    task = Regression(Tokenizer.from_pretrained(tiny))
    for labels, mean in (((50.0, 70.0), 60.0), ((1.0, 2.0), 60.0)):  # a trained head is not changed
        features = task.features([TextExample(text, label=label) for text, label in zip(GOOD, labels, strict=False)], True)
        task.init_head(model.head, features)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(model.head.classifier.bias), [mean])


@pytest.mark.parametrize("options", [{"preset": "textcnn", "hidden_size": 24, "embedding_size": 16},
                                     {"preset": "bilstm", "hidden_size": 16, "embedding_size": 16}],
                         ids=["textcnn", "bilstm"])
@pytest.mark.slow
def test_baselines(classifier, tmp_path, options):
    result = train(None, tmp_path / "model", data=str(classifier.data), epochs=3, learning_rate=1e-2, **options)
    assert result.dev["accuracy"] == 1.0
    assert Predictor.from_pretrained(tmp_path / "model").predict(GOOD[:2])[0]["label"] == "好评"


@pytest.mark.slow
def test_a_new_model_learns_its_vocabulary(classifier, tmp_path):
    options = {**TINY, "preset": "bert-tiny", "max_position_embeddings": None}
    result = train(None, tmp_path / "model", data=str(classifier.data), epochs=3, vocab_size=300, **options)
    assert result.dev["accuracy"] >= 0.9 and len(result.task.tokenizer) <= 300
    assert Predictor.from_pretrained(tmp_path / "model").task.tokenizer("好看")["input_ids"].shape[1] > 2


@pytest.mark.slow
def test_a_decoder_without_pad_token(tmp_path, classifier):
    options = {"preset": "gpt2", "num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 2, "vocab_size": 400,
               "initializer_range": 0.1, "intermediate_size": 64, "embedding_dropout_prob": 0.0,
               "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    result = train(None, tmp_path / "model", data=str(classifier.data), epochs=3, **options)
    assert result.dev["accuracy"] >= 0.9
    one, many = (Predictor.from_pretrained(tmp_path / "model").predict(texts) for texts in (GOOD[:1], [*GOOD, *BAD]))
    assert one[0]["probabilities"] == pytest.approx(many[0]["probabilities"], abs=1e-5)  # padding changes nothing


def test_rows_of_sst2_thucnews_and_afqmc(data):
    rows = read_split(str(data("sst2")), "text", Reading(), "train")
    assert {row.label for row in rows} == {"0", "1"} and rows[0].pair is None
    headlines = read_split(str(data("thucnews")), "text", Reading(), "dev")
    assert len({row.label for row in headlines}) == 10
    pairs = read_split(str(data("afqmc")), "text", Reading(), "dev")
    assert all(row.pair for row in pairs) and {row.label for row in pairs} == {"0", "1"}


@pytest.mark.slow
def test_thucnews_with_most_examples(data, tiny, tmp_path):
    folder = tmp_path / "news"
    folder.mkdir()
    shutil.copy(data("thucnews", "class.txt"), folder)
    lines = data("thucnews", "dev.txt").read_text(encoding="utf-8").splitlines()[:400]
    for split in ("train", "test"):
        (folder / f"{split}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = train(tiny, tmp_path / "model", data=str(folder), epochs=1, most_examples=200, batch_size=1000)
    assert set(result.task.labels.names) <= {*data("thucnews", "class.txt").read_text(encoding="utf-8").split()}
    assert len(result.history["loss"]) == 1 and result.test["accuracy"] > 0
