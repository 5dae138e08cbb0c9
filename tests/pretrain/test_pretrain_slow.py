"""Longer pre-training runs, which take minutes: real text, overfitting, kill -9."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tfplm
from tests.pretrain.test_pretrain import TINY, write_text
from tfplm.data.text.emoji import find_emoji
from tfplm.models.pretrained.weights import named_variables
from tfplm.pretrain.run import pretrain

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128,
         "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_length": 64, "batch_tokens": 2048,
         "learning_rate": 3e-3, "summary_every": 0, "quiet": True}
# objective -> options
REAL = {
    "mlm": {}, "mlm+nsp": {}, "mlm+sop": {"curriculum": True}, "mlm+sop3": {}, "clm": {"preset": "gpt2"},
    "clm-reverse": {"preset": "gpt2"}, "rtd": {"generator_size": 0.5}, "span-boundary": {},
    "span-corruption": {"preset": "t5-small", "head_dim": 32, "num_decoder_layers": 2},
    "denoising": {"num_decoder_layers": 2, "decoder_attention_heads": 2},
    "mass": {"num_decoder_layers": 2, "decoder_attention_heads": 2},
    "unilm": {}, "tagging": {}, "mlm+token-document": {}, "mlm@2,clm@1": {"layerdrop": 0.1},
}
# a tiny model does not learn relations between sentences in 200 steps
TOO_HARD = {"nsp_loss", "sop_loss", "sop3_loss"}
IN_CI = ("mlm+sop", "clm", "rtd", "span-corruption", "unilm")  # one of each kind


@pytest.mark.slow
@pytest.mark.parametrize("objective", [
    pytest.param(name, marks=[] if name in IN_CI else [pytest.mark.all]) for name in REAL])
def test_200_steps_on_real_text_beat_the_baseline(objective, data, tmp_path):
    result = pretrain(text=[str(data("wikitext2", "valid.txt"))], objective=objective, vocab_size=2000, steps=200,
                      evaluate_every=200, evaluation_batches=8, output=str(tmp_path / "model"),
                      log_dir=str(tmp_path / "logs"), **{**SMALL, **REAL[objective]})
    compared = {name: (value, result.baselines[name]) for name, value in result.metrics.items()
                if name.endswith("_loss") and name not in TOO_HARD}
    assert compared and all(value < baseline for value, baseline in compared.values()), compared
    # infilling shortens texts at random, and a batch is as wide as its longest row, rounded up to one of few widths
    assert result.padding < (0.15 if objective == "denoising" else 0.05) and result.steps == 200
    tfplm.from_pretrained(result.output, result.model.head_name)


@pytest.mark.slow
def test_emoji_on_real_tweets(data, tmp_path):
    """The dataset has the emoji removed; the test puts them back."""
    folder = data("tweeteval_emoji")
    names = [line.split("\t")[1] for line in (folder / "mapping.txt").read_text(encoding="utf-8").splitlines()]
    texts = (folder / "train_text.txt").read_text(encoding="utf-8").splitlines()
    labels = (folder / "train_labels.txt").read_text(encoding="utf-8").split()
    corpus = tmp_path / "tweets.txt"
    corpus.write_text("\n".join(f"{text} {names[int(label)]}" for text, label in zip(texts, labels)), encoding="utf-8")
    result = pretrain(text=[str(corpus)], objective="emoji", vocab_size=4000, steps=200, evaluate_every=200,
                      output=str(tmp_path / "model"), log_dir=str(tmp_path / "logs"), **SMALL)
    assert result.metrics["emoji_loss"] < result.baselines["emoji_loss"]
    assert result.metrics["emoji_accuracy"] > result.baselines["emoji_accuracy"]
    known, labels = {e for name in names for e in find_emoji(name)}, set(result.model.config.id2label.values())
    assert known <= labels and all(find_emoji(label) == [label] for label in labels)  # others were left in


@pytest.mark.slow
def test_overfitting_a_tiny_text(data, tmp_path):
    """BERT's own smoke test: the model memorizes the masked tokens and next sentences of a few lines."""
    text = tmp_path / "few.txt"
    lines = (data("zh_news_sample") / "news_zh_0.txt").read_text(encoding="utf-8").splitlines()
    text.write_text("\n".join(lines[:24]), encoding="utf-8")
    options = {**SMALL, "hidden_size": 128, "max_length": 48, "batch_tokens": 1536, "learning_rate": 1e-3}
    vocabulary = pretrain(text=[str(text)], objective="mlm", held_out=0.0, steps=1, vocab_size=1000,
                          output=str(tmp_path / "vocabulary"), log_dir=str(tmp_path / "a"), **options).output
    # static masks, as BERT's script makes them, so that evaluation uses the same masks as training
    from tfplm.data.records.build import records

    records(text=[str(text)], output=str(tmp_path / "records"), tokenizer=str(vocabulary), layout="bert", max_length=48,
            max_predictions=7, repeats=4, quiet=True)
    result = pretrain(records=[str(tmp_path / "records")], objective="mlm+nsp", held_out=0.0, steps=500,
                      output=str(tmp_path / "model"), log_dir=str(tmp_path / "b"), **options)
    accuracy = evaluated_on_its_records(result, tmp_path / "records")
    assert accuracy["mlm"] > 0.95 and accuracy["nsp"] == 1.0


def evaluated_on_its_records(result, folder: Path) -> dict[str, float]:
    from tfplm.data.batches.batch_source import feature_batches

    right = {"mlm": [], "nsp": []}
    for batch in feature_batches(sorted(map(str, folder.glob("*.tfrecord*"))), shuffle=False).epoch(0):
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "token_type_ids", "masked_lm_positions")}
        output = result.model(inputs)
        hits = np.argmax(output["masked_lm"], -1) == batch["masked_lm_ids"]
        right["mlm"] += hits[batch["masked_lm_weights"] == 1].tolist()
        right["nsp"] += (np.argmax(output["next_sentence"], -1) == batch["next_sentence_labels"]).tolist()
    return {name: float(np.mean(values)) for name, values in right.items()}


@pytest.mark.slow
def test_killed_and_restarted_run_equals_the_uninterrupted_one(tmp_path):
    """kill -9 after seven of twelve steps, with dropout, pairs, a curriculum and two tasks."""
    text = write_text(tmp_path / "三国.txt")
    options = {"text": [str(text)], "objective": "mlm+sop@2,clm@1", "vocab_size": 200, "steps": 12, "evaluate_every": 5,
               "save_every": 2, "held_out": 0.1, "summary_every": 3, "curriculum": True, **TINY, "max_length": 32,
               "batch_tokens": 256}
    program = [sys.executable, str(Path(__file__).with_name("kill_program.py"))]
    for name in ("whole", "killed"):
        (tmp_path / f"{name}.json").write_text(json.dumps(
            {**options, "output": str(tmp_path / name), "log_dir": str(tmp_path / f"{name}-logs")}))
    subprocess.run([*program, str(tmp_path / "whole.json")], check=True, timeout=900, stdout=subprocess.DEVNULL)
    process = subprocess.Popen([*program, str(tmp_path / "killed.json")], stdout=subprocess.PIPE, text=True)
    for _ in range(7):
        assert process.stdout.readline() == "step\n"
    process.kill()
    process.communicate()
    again = subprocess.run([*program, str(tmp_path / "killed.json")], check=True, timeout=900, stdout=subprocess.PIPE,
                           text=True)
    assert 5 <= again.stdout.count("step") <= 8  # from the last checkpoint, not from the start
    results = [json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "killed")]
    for key in ("steps", "tokens", "padding"):
        assert results[0][key] == results[1][key]
    whole, killed = (named_variables(tfplm.from_pretrained(tmp_path / name, "pretraining"))
                     for name in ("whole", "killed"))
    for path, variable in whole.items():
        np.testing.assert_allclose(np.asarray(variable), np.asarray(killed[path]), atol=1e-6, err_msg=path)


@pytest.mark.slow
def test_two_replicas_train_as_one(tmp_path):
    """`strategy=mirrored` on two logical devices gives the same metrics as one device."""
    text = write_text(tmp_path / "三国.txt")
    code = ("import sys, json, tensorflow as tf\n"
            "cpu = tf.config.list_physical_devices('CPU')[0]\n"
            "tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)\n"
            "from tfplm.pretrain.run import pretrain\n"
            "pretrain(**json.loads(sys.argv[1]))\n")
    metrics = []
    for name, strategy in (("one", "one"), ("two", "mirrored")):
        options = {"text": [str(text)], "objective": "mlm+tagging", "vocab_size": 200, "steps": 4, "held_out": 0.1,
                   "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "summary_every": 0, **TINY,
                   "strategy": strategy, "output": str(tmp_path / name),
                   "log_dir": str(tmp_path / "logs"), "batch_tokens": 256}
        subprocess.run([sys.executable, "-c", code, json.dumps(options)], check=True, timeout=900)
        metrics.append(json.loads((tmp_path / name / "results.json").read_text())["metrics"])
    assert metrics[0] == pytest.approx(metrics[1], rel=1e-3)
