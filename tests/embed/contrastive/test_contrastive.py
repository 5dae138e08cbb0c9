"""Contrastive training: data, model, and the verb, which learns, keeps the best weights, and resumes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import tfplm
from tests.embed.encoder.encoder_cases import TEXTS, encoder, model, tokenizer
from tfplm.embed import SentenceEncoder
from tfplm.embed.contrastive.data import Group, GroupBatches, read_groups
from tfplm.embed.contrastive.model import Contrastive
from tfplm.embed.contrastive.run import KeepBest, contrastive
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.recipe import DenseModule, Recipe
from tfplm.embed.encoder.text_ids import TextReader
from tfplm.options.contrastive import ContrastiveOptions


class Kill(Exception):
    pass


WORDS = ["cat", "dog", "stone", "rates", "我", "们", "天", "气", "公", "园"]


def rows(count: int, seed: int = 0):
    """Pairs of texts with two words each; the score is the number of words that they share."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        first, second = rng.choice(WORDS, 2, replace=False), rng.choice(WORDS, 2, replace=False)
        yield " ".join(first), " ".join(second), len(set(first) & set(second))


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name, count, seed in (("train", 300, 0), ("dev", 80, 1)):
        (folder / f"{name}.tsv").write_text("".join(f"{a}\t{b}\t{n}\n" for a, b, n in rows(count, seed)), "utf-8")
    (folder / "texts.txt").write_text("\n\n".join(TEXTS[:2]) + "\n", "utf-8")
    (folder / "triples.tsv").write_text("".join(f"{a}\t{a} .\t{b}\n" for a, b, _ in rows(20)), "utf-8")
    return folder


@pytest.fixture
def start(tmp_path):
    tfplm.save_pretrained(model(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0), tmp_path / "start",
                          tokenizer(tmp_path))
    return str(tmp_path / "start")


def test_groups(files):
    assert read_groups([str(files / "texts.txt")], "simcse") == [Group((text, text)) for text in TEXTS[:2]]
    train = list(rows(300))
    words = {text for a, b, _ in train for text in (a, b)}  # from a folder the train file, from a table the texts
    for source in (files, files / "train.tsv"):
        assert {group.texts[0] for group in read_groups([str(source)], "simcse")} == words
    assert len(read_groups([str(files)], "simcse")) == len(words)
    cosent = read_groups([str(files)], "cosent")
    assert [(*group.texts, group.score) for group in cosent] == [(a, b, float(n)) for a, b, n in train]
    assert max(group.score for group in read_groups([str(files)], "cosine")) == 1.0
    alike = read_groups([str(files)], "ranking")
    assert [group.texts for group in alike] == [(a, b) for a, b, n in train if n == 2]
    triples = read_groups([str(files / "triples.tsv")], "supervised_simcse", negatives=True)
    assert len(triples) == 20 and triples[0].texts[1] == triples[0].texts[0] + " ."


def test_groups_of_afqmc(data):
    groups = read_groups([str(data("afqmc"))], "ranking", split="dev")
    assert 0.25 * 4316 < len(groups) < 0.35 * 4316 and all(group.score is None for group in groups)


def test_wrong_data(files, tmp_path):
    (tmp_path / "one.tsv").write_text("a dog\t1\na cat\t2\n", "utf-8")
    with pytest.raises(ValueError, match="one.tsv:1: the row has only one text; expected two texts and a number"):
        read_groups([str(tmp_path / "one.tsv")], "cosent")
    with pytest.raises(ValueError, match="--negatives was given with the loss cosine, which needs pairs with scores"):
        read_groups([str(files / "triples.tsv")], "cosine", negatives=True)
    with pytest.raises(ValueError, match="there are 0 examples to train on; expected texts or pairs"):
        GroupBatches([], None, 4)


@pytest.mark.parametrize("changes", [{}, {"by_length": True}, {"repetition": 0.9}])
def test_batches_depend_only_on_their_index(changes, tmp_path):
    groups = [Group((a, b), float(n)) for a, b, n in rows(23)]
    made = GroupBatches(groups, TextReader(tokenizer(tmp_path), 40), 5, seed=3, **changes)
    assert made.steps == 4
    stream = made.batches()
    whole = [next(stream) for _ in range(9)]
    for start in (0, 3, 4, 7):
        again = next(made.batches(start))
        for name, array in whole[start].items():
            np.testing.assert_array_equal(again[name], array)
    assert not np.array_equal(whole[0]["labels"], whole[4]["labels"])  # the second epoch has another order
    batch = whole[0]
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (5, 2, 8)
    row = made.reader([next(g for g in groups if g.score == batch["labels"][0]).texts[0]])
    assert len(row[0]) == 4 and batch["attention_mask"].sum(-1).min() == 4


def test_batches_of_similar_length(tmp_path):
    groups = [Group(("cat" + " dog" * (index % 7), "cat"), float(index)) for index in range(58)]
    reader, spans = TextReader(tokenizer(tmp_path), 40), {}
    for by_length in (False, True):
        stream = (made := GroupBatches(groups, reader, 4, by_length=by_length)).batches()
        epochs = [[next(stream) for _ in range(made.steps)] for _ in range(2)]
        chosen = [np.concatenate([batch["labels"] for batch in epoch]) for epoch in epochs]
        assert all(len(set(labels)) == 56 for labels in chosen) and set(chosen[0]) != set(chosen[1])
        lengths = [batch["attention_mask"][:, 0].sum(-1) for batch in epochs[0]]
        assert np.any(np.diff(list(map(np.mean, lengths))) < 0)  # not from short to long
        spans[by_length] = np.mean(list(map(np.ptp, lengths)))
    assert spans[True] < 1 and spans[False] > 3


def test_tokens_are_repeated_in_the_second_copy(tmp_path):
    text = " ".join(WORDS)
    made = GroupBatches([Group((text, text))] * 40, TextReader(tokenizer(tmp_path), 14), 40, repetition=0.4)
    batch = next(made.batches())
    first, second = (batch["input_ids"][:, index] for index in (0, 1))
    lengths = batch["attention_mask"].sum(-1)
    assert (first == first[0]).all() and set(lengths[:, 0]) == {12}
    assert set(lengths[:, 1]) == {12, 13, 14}  # up to four more tokens, of which max_length allows two
    for row in second:
        ids = row[row > 0].tolist()
        assert list(dict.fromkeys(ids)) == first[0, :12].tolist()  # the same tokens in the same order
        assert ids.count(ids[0]) == ids.count(ids[-1]) == 1  # [CLS] and [SEP] once
        assert max(map(ids.count, ids)) <= 2
    longer = GroupBatches(made.groups, TextReader(made.reader.tokenizer, 40), 40, repetition=0.4)
    assert set(next(longer.batches())["attention_mask"][:, 1].sum(-1)) == {12, 13, 14, 15, 16}
    short = GroupBatches([Group(("", "")), Group(("cat", "cat"))] * 20, made.reader, 40, repetition=0.4)
    assert set(next(short.batches())["attention_mask"].sum(-1).ravel()) == {2, 3, 4}


def test_vectors_in_training_equal_those_of_the_encoder(tmp_path):
    made = encoder(tmp_path, "CLS_TOKEN", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    wrapped = Contrastive(made.model, made.recipe.plan, "ranking")
    groups = [Group((a, b)) for a, b, _ in rows(6)]
    batch = GroupBatches(groups, TextReader(made.tokenizer, 40), 6).batch(range(6))
    for training in (False, True):
        vectors = np.asarray(wrapped(batch, training=training))
        for index in (0, 1):
            expected = made.encode([group.texts[index] for group in groups])
            np.testing.assert_allclose(vectors[:, index], expected, atol=2e-5)
    headed = Contrastive(made.model, made.recipe.plan, "simcse")
    np.testing.assert_allclose(headed(batch, training=False), vectors, atol=2e-5)
    assert np.abs(np.asarray(headed(batch, training=True)) - vectors).max() > 0.01


def test_dropout_makes_two_vectors_of_one_text(tmp_path):
    made = encoder(tmp_path, "CLS_TOKEN")
    wrapped = Contrastive(made.model, made.recipe.plan, "simcse")
    batch = GroupBatches([Group(("a dog", "a dog"))] * 3, TextReader(made.tokenizer, 40), 3).batch(range(3))
    vectors = np.asarray(wrapped(batch, training=True))
    assert np.abs(vectors[:, 0] - vectors[:, 1]).min(axis=1).max() > 0 and np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_poolings_without_sentence_vectors_are_rejected(tmp_path):
    made = encoder(tmp_path)
    with pytest.raises(ValueError, match="the pooling is NONE, which makes no sentence vectors; expected one"):
        Contrastive(made.model, PoolingPlan.of("NONE"), "simcse")


def options(start, files, output, **changes) -> ContrastiveOptions:
    return ContrastiveOptions(**{"init": start, "data": [str(files)], "output": str(output), "quiet": True,
                                 "log_dir": str(output) + "-logs", "learning_rate": 3e-3, "batch_size": 30, "epochs": 2,
                                 "max_length": 16, "loss": "cosent", **changes})


def test_the_verb_learns_and_keeps_the_best(start, files, tmp_path):
    result = contrastive(options(start, files, tmp_path / "out", dev=str(files), epochs=6, evaluate_every=5))
    assert result.spearman > result.before + 10 and result.steps == 60
    loaded = SentenceEncoder.from_pretrained(tmp_path / "out")
    assert loaded.recipe.max_length == 16
    np.testing.assert_allclose(loaded.encode(TEXTS), result.encoder.encode(TEXTS), atol=1e-6)
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["spearman"] == result.spearman
    assert list((tmp_path / "out-logs" / "train").glob("events*"))


@pytest.mark.slow
@pytest.mark.parametrize(("loss", "source", "changes"), [
    ("simcse", "train.tsv", {"dropout": 0.1, "repetition": 0.32, "by_length": True}),
    ("supervised_simcse", "triples.tsv", {"negatives": True}), ("ranking", "train.tsv", {"pooling": ["mean", "max"]}),
    ("cosine", "train.tsv", {"dtype": "mixed_bfloat16"})])
def test_every_loss_trains(loss, source, changes, start, files, tmp_path):
    result = contrastive(options(start, files, tmp_path / "out", loss=loss, data=[str(files / source)], epochs=1,
                                 batch_size=10, **changes))
    before = SentenceEncoder.from_pretrained(start, [strategy.name for strategy in result.encoder.recipe.plan.strategies])
    assert np.abs(result.encoder.encode(TEXTS) - before.encode(TEXTS)).max() > 1e-3
    assert result.spearman is None and (tmp_path / "out" / "modules.json").is_file()
    assert result.encoder.origin["source"] == tmp_path / "out"  # from which other processes can load it


@pytest.mark.slow
def test_run_killed_before_its_first_checkpoint_starts_again(start, files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(KeepBest, "_evaluate", lambda self, logs: (_ for _ in ()).throw(Kill))
        with pytest.raises(Kill):
            contrastive(options(start, files, tmp_path / "out", dev=str(files)))
    shutil.rmtree(tmp_path / "out" / "checkpoints", ignore_errors=True)
    (tmp_path / "out" / "best.json").write_text('{"before": 0.0, "best": 99.0, "step": 1}')
    result = contrastive(options(start, files, tmp_path / "out", dev=str(files), learning_rate=1e-3))
    assert result.before != 0.0 and result.spearman < 99


def test_recipes_that_cannot_be_trained_are_rejected(start, files, tmp_path):
    dense = DenseModule(np.eye(12, 5, dtype=np.float32))
    made = SentenceEncoder.from_pretrained(start)
    made.with_recipe(Recipe(dense=(dense,))).save_pretrained(tmp_path / "dense")
    with pytest.raises(ValueError, match="has Dense modules, which cannot be trained: use the model itself"):
        contrastive(options(str(tmp_path / "dense"), files, tmp_path / "out"))


def test_unused_layers_are_not_trained(tmp_path):
    made = encoder(tmp_path, PoolingPlan.of("mean", -2))
    paths = [variable.path for variable in Contrastive(made.model, made.recipe.plan, "ranking").trainable_variables]
    assert any("block_1/" in path for path in paths)
    assert not any("block_2/" in path or "pooler" in path for path in paths)
    whole = Contrastive(made.model, PoolingPlan.of("CLS_POOLED"), "ranking").trainable_variables
    assert len(whole) == len(made.model.trainable_variables)


@pytest.mark.slow
def test_killed_training_resumes(start, files, tmp_path, monkeypatch):
    whole = contrastive(options(start, files, tmp_path / "whole", save_every=3))
    count = [0]

    def kill(self, batch, logs=None):
        count[0] += 1
        if count[0] == 14:
            raise Kill

    with monkeypatch.context() as patch:
        patch.setattr(KeepBest, "on_train_batch_end", kill)
        with pytest.raises(Kill):
            contrastive(options(start, files, tmp_path / "parts", save_every=3))
    keras.utils.set_random_seed(7)
    parts = contrastive(options(start, files, tmp_path / "parts", save_every=3))
    np.testing.assert_allclose(parts.encoder.encode(TEXTS), whole.encoder.encode(TEXTS), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["ranking", "cosine", pytest.param("cosent", marks=pytest.mark.all)])
def test_training_on_two_devices_equals_training_on_one(loss, tmp_path):
    program = Path(__file__).with_name("contrastive_program.py")
    weights = []
    for strategy in ("one", "mirrored"):
        file = tmp_path / f"{strategy}.npz"
        subprocess.run([sys.executable, str(program), strategy, loss, str(file)], check=True, timeout=300)
        weights.append(np.load(file))
    assert weights[1]["replicas"] == 2
    for name in weights[0].files[1:]:
        np.testing.assert_allclose(weights[1][name], weights[0][name], atol=2e-5, err_msg=name)


@pytest.mark.parametrize(("changes", "message"), [
    ({"repetition": 0.3}, "repetition is 0.3 and the loss cosent; expected a rate from 0 to 1, and the loss simcse"),
    ({"loss": "simcse", "repetition": -1.0}, "repetition is -1.0"),
    ({"epochs": 0}, "epochs is 0; expected more than 0: change --epochs"), ({"temperature": 0.0}, "temperature is 0.0"),
    ({"dropout": 1.0}, "dropout is 1.0")])
def test_wrong_options(changes, message, start, files, tmp_path):
    with pytest.raises(ValueError, match=message):
        contrastive(options(start, files, tmp_path / "out", **changes))


def test_repetitions_are_used_once_and_said(tmp_path, caplog):
    (tmp_path / "texts.txt").write_text("happy new year\n" * 50 + "the cat sat\n")
    assert len(read_groups([str(tmp_path / "texts.txt")], "simcse")) == 2
    assert "49 of 51 examples are repetitions; each is used once" in caplog.text
    (tmp_path / "pairs.tsv").write_text("a dog\ta cat\t1\n" * 3 + "a cow\ta car\t0\n")
    assert len(read_groups([str(tmp_path / "pairs.tsv")], "cosent")) == 4  # each counts


def test_data_that_teach_nothing_are_refused(tmp_path, caplog):
    (tmp_path / "one.txt").write_text("the same\n" * 9)
    with pytest.raises(ValueError, match="there is only one different text; expected two or more"):
        read_groups([str(tmp_path / "one.txt")], "simcse")
    (tmp_path / "scores.tsv").write_text("a dog\ta cat\t3\na cow\ta car\t3\na hat\ta cap\t3\n")
    for loss in ("cosent", "cosine"):
        with pytest.raises(ValueError, match="all 3 pairs have the score [13]; expected different"):
            read_groups([str(tmp_path / "scores.tsv")], loss)
    assert len(read_groups([str(tmp_path / "scores.tsv")], "ranking")) == 3
    assert "3 of 3 pairs have the largest number, 3, and are taken to be similar" in caplog.text
    with pytest.raises(ValueError, match=r"batch_size is 1; expected 2 or more, as the loss simcse compares"):
        contrastive(data=[str(tmp_path / "one.txt")], init="x", batch_size=1)


def test_texts_with_equal_tokens_have_equal_numbers(tmp_path):
    groups = [Group((text, text)) for text in ("a dog", "A  dog", "a cat")]
    batch = GroupBatches(groups, TextReader(tokenizer(tmp_path), 40), 3, repetition=0.5).batch(
        range(3), np.random.default_rng(0))
    assert batch["texts"].dtype == np.int64 and batch["texts"].shape == (3, 2)
    first, second, third = batch["texts"].tolist()
    assert first == second != third and first[0] == first[1]
