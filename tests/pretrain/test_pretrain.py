"""`tfplm pretrain`, from text to a saved model."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import tfplm
from tfplm import cli
from tfplm.data.records.build import records
from tfplm.models.pretrained.weights import named_variables
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.architecture import base_config
from tfplm.pretrain.objectives.catalogue import parse_objective
from tfplm.pretrain.run import pretrain
from tfplm.summaries import EventFiles

TINY = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "max_length": 16, "batch_tokens": 128, "learning_rate": 0.01, "quiet": True}
CLAUSES = ("话说天下大势", "分久必合", "合久必分", "周末七国分争", "并入于秦", "及秦灭之后", "楚汉分争", "又并入于汉",
           "汉朝自高祖斩白蛇而起义", "一统天下", "后来光武中兴", "传至献帝", "遂分为三国")


def write_text(path: Path, documents: int = 30) -> Path:
    rng = np.random.default_rng(0)
    lines = []
    for _ in range(documents):
        lines += ["，".join(rng.choice(CLAUSES, 3)) + "。" for _ in range(6)] + [""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_text(tmp_path_factory.mktemp("text") / "三国.txt")


@pytest.fixture(scope="module")
def options(text, tmp_path_factory) -> PretrainOptions:
    folder = tmp_path_factory.mktemp("run")
    return PretrainOptions(text=[str(text)], output=str(folder / "model"), log_dir=str(folder / "logs"),
                           objective="mlm+sop", preset="albert-tiny-chinese", embedding_size=8, vocab_size=200, steps=7,
                           evaluate_every=3, save_every=2, summary_every=2, held_out=0.2, evaluation_batches=4, **TINY)


@pytest.fixture(scope="module")
def result(options):
    return pretrain(options)


def test_metrics_baselines_and_counts(result):
    assert set(result.metrics) == set(result.baselines) == {"mlm_loss", "mlm_accuracy", "sop_loss", "sop_accuracy"}
    assert result.baselines["sop_accuracy"] >= 0.3 and 0.4 < result.baselines["sop_loss"] < 1.2
    assert 1 < result.baselines["mlm_loss"] < np.log(200)
    assert result.steps == 7 and 0 < result.padding < 0.3 and result.tokens > 7 * 60
    assert result.parameters == result.model.count_params() and result.tokens_per_second > 0
    saved = json.loads((result.output / "results.json").read_text())
    assert saved["metrics"] == result.metrics and saved["steps"] == 7


def test_saved_files(result, options):
    again = tfplm.from_pretrained(result.output, "pretraining")
    ours, theirs = named_variables(result.model), named_variables(again)
    assert set(ours) == set(theirs) and not again.loading_report.fresh
    for path, variable in ours.items():
        np.testing.assert_array_equal(np.asarray(variable), np.asarray(theirs[path]), err_msg=path)
    tokenizer = tfplm.Tokenizer.from_pretrained(result.output)
    assert tokenizer.vocab == result.tokenizer.vocab and again.config.vocab_size == len(tokenizer) <= 200
    assert again.config.share == "all" and again.config.embedding_size == 8
    assert again.config.pad_token_id == tokenizer.pad_token_id
    assert json.loads((result.output / "pretrain.json").read_text()) == dataclasses.asdict(options)


def test_summaries(result):
    events = EventFiles(result.log_dir / "train")
    tags = {"loss", "mlm_loss", "sop_accuracy", "optimizer/learning_rate", "speed/tokens_per_second"}
    assert tags <= set(events.tags("scalars")) and events.tags("scalars")[0] == "loss"
    assert list(events.scalars("mlm_loss")[0]) == [2, 4, 6]
    assert any(tag.startswith("attention/layer_0") for tag in events.tags("images"))
    assert any("samples" in tag for tag in events.tags())
    assert (result.log_dir / "train" / "projector" / "tokens" / "metadata.tsv").exists()
    assert "val" not in " ".join(EventFiles(result.log_dir / "validation").tags("scalars"))


def test_starting_a_finished_training_again_changes_nothing(result, options):
    before = (result.output / "model.safetensors").read_bytes()
    again = pretrain(options)
    assert again.steps == 7 and again.tokens == result.tokens and again.tokens_per_second == 0
    assert again.metrics == pytest.approx(result.metrics)
    assert (result.output / "model.safetensors").read_bytes() == before


@pytest.mark.slow
def test_tasks_ignore_the_keys_of_other_tasks(tmp_path):
    """A batch of one task also has the keys of the other; training, evaluation and samples ignore them."""
    text = write_text(tmp_path / "三国.txt")
    found = pretrain(text=[str(text)], objective="mlm@1,clm@1", vocab_size=200, steps=4, evaluate_every=4, held_out=0.2,
                     summary_every=2, output=str(tmp_path / "model"), log_dir=str(tmp_path / "logs"), **TINY)
    assert set(found.metrics) >= {"mlm_loss", "clm_loss", "clm_perplexity"} and found.steps == 4


def test_other_options_in_the_same_folder(result, options):
    with pytest.raises(ValueError, match=r"contains a training with other options \(steps 7, now 8\): use another"):
        pretrain(options, steps=8)


@pytest.mark.slow
def test_interrupted_training_resumes(result, options, tmp_path):
    """A run that fails after five steps and is started again ends like the uninterrupted run."""
    from tfplm.training.loop import callbacks as pretrain_callbacks

    class Stop(pretrain_callbacks.Speed):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if batch == 1 and int(self.model.steps) == 5:
                raise RuntimeError("power failure")

    changed = dataclasses.replace(options, output=str(tmp_path / "model"), log_dir=str(tmp_path / "logs"),
                                  summary_every=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tfplm.pretrain.run.Speed", Stop)
        with pytest.raises(RuntimeError, match="power failure"):
            pretrain(changed)
    again = pretrain(changed)
    assert again.steps == 7 and again.tokens == result.tokens
    for path, variable in named_variables(again.model).items():
        np.testing.assert_allclose(np.asarray(variable), np.asarray(named_variables(result.model)[path]), atol=1e-6,
                                   err_msg=path)


@pytest.mark.slow
def test_config_file_runs_the_same_again(result, options, tmp_path, monkeypatch, capsys):
    """The saved options as --config, overridden by flags, give the same weights again."""
    monkeypatch.setitem(cli.VERBS, "pretrain", ("tfplm.options.pretrain:PretrainOptions", "pre-train"))
    status = cli.main(["pretrain", "--config", str(result.output / "pretrain.json"), "--output", str(tmp_path / "again"),
                       "--log-dir", str(tmp_path / "logs"), "--summary-every", "0", "--no-quiet"])
    assert status == 0
    printed = capsys.readouterr().out
    assert "baseline" in printed and "mlm accuracy" in printed and "parameters" in printed
    assert (tmp_path / "again" / "model.safetensors").read_bytes() == \
        (result.output / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_from_a_tf1_checkpoint(data, tmp_path):
    """Domain-adaptive pre-training, from weights and vocabulary in Google's layout."""
    source = data("tiny_checkpoints", "bert_toy")
    words = [word for word in tfplm.Tokenizer.from_pretrained(source).vocab if word.isalpha()]
    text = tmp_path / "text.txt"
    text.write_text("\n".join(" ".join(words[(i + j) % len(words)] for j in range(9)) + "." for i in range(60)))
    small = {key: value for key, value in TINY.items() if key in ("batch_tokens", "quiet")}
    result = pretrain(text=[str(text)], init=str(source), output=str(tmp_path / "out"), summary_every=0, steps=2,
                      max_length=10, learning_rate=1e-4, log_dir=str(tmp_path / "logs"), **small)
    before, after = tfplm.from_pretrained(source, "masked_lm"), tfplm.from_pretrained(result.output, "masked_lm")
    assert after.config.vocab_size == before.config.vocab_size and after.config.hidden_size == 4
    moved = [np.abs(np.asarray(variable) - np.asarray(named_variables(before)[path])).max()
             for path, variable in named_variables(after).items()]
    assert 0 < max(moved) < 1e-3
    with pytest.raises(ValueError, match=r"max_length is 2000, but the model has \d+ positions"):
        pretrain(text=[str(text)], init=str(source), output=str(tmp_path / "b"), max_length=2000, quiet=True)


@pytest.mark.slow
def test_records_of_berts_own_layout(text, tmp_path):
    tokenizer = tmp_path / "vocab.txt"
    letters = sorted(set("".join(CLAUSES) + "，。"))
    tokenizer.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]), encoding="utf-8")
    records(text=[str(text)], output=str(tmp_path / "records"), tokenizer=str(tokenizer), layout="bert", max_length=16,
            max_predictions=3, repeats=2, quiet=True)
    common = dict(records=[str(tmp_path / "records")], summary_every=0, steps=2, log_dir=str(tmp_path / "logs"), **TINY)
    result = pretrain(objective="mlm+nsp", output=str(tmp_path / "out"), **common)
    assert {"mlm_accuracy", "nsp_accuracy"} <= set(result.metrics)
    with pytest.raises(ValueError, match="already contain the masks .* cannot train tagging"):
        pretrain(objective="mlm+tagging", output=str(tmp_path / "b"), **common)
    files = {**common, "records": [str(tmp_path / "records" / "*.tfrecord*")]}
    with pytest.raises(ValueError, match="do not name their vocabulary; .*: add --tokenizer vocab.txt"):
        pretrain(output=str(tmp_path / "c"), **files)


def test_token_records_and_a_model_with_another_vocabulary(result, text, tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n分\n合\n", encoding="utf-8")
    records(text=[str(text)], output=str(tmp_path / "records"), tokenizer=str(tmp_path / "vocab.txt"), quiet=True)
    with pytest.raises(ValueError, match=r"records in .* were made with another vocabulary \(7 tokens\) than that of"):
        pretrain(records=[str(tmp_path / "records")], init=str(result.output), output=str(tmp_path / "a"), quiet=True)
    with pytest.raises(ValueError, match=r"the tokenizer has [\d,]+ tokens, but the model .* has 20: use the"):
        pretrain(text=[str(text)], init=str(make_small(tmp_path / "small")), tokenizer=str(result.output),
                 output=str(tmp_path / "b"), quiet=True)


def make_small(folder: Path) -> Path:
    tfplm.save_pretrained(tfplm.from_config("bert-tiny", "masked_lm", vocab_size=20, hidden_size=4, num_hidden_layers=1),
                          folder)
    return folder


@pytest.mark.parametrize("changes, message", [
    ({"objective": "mlmm"}, "there is no objective 'mlmm'; did you mean 'mlm'"),
    ({"objective": "denoising"}, "objective denoising trains an encoder-decoder, but albert is an encoder"),
    ({"preset": "bert-huge"}, "there is no preset 'bert-huge'"),
    ({"text": []}, "no corpus was given; expected text files or --records FOLDER: add one"),
    ({"records": ["x"]}, "both text files and --records were given; expected one of them: omit"),
    ({"init": "x"}, "both --init x and --preset albert-tiny-chinese were given"),
    ({"steps": 0}, "steps is 0; expected 1 or more: change --steps"),
    ({"batch_tokens": 8}, r"batch_tokens is 8; expected at least max_length \(16\), .*: increase --batch-tokens"),
    ({"noise": ["rotate"]}, "unknown noise rotate; expected any of permutation, rotation"),
    ({"held_out": 1.0}, "held_out is 1.0; expected a fraction from 0 to below 1: change --held-out"),
])
def test_bad_input(options, tmp_path, changes, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        pretrain(options, **{"output": str(tmp_path / "x"), "preset": options.preset, **changes})


def test_empty_corpus(options, tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(ValueError, match="the corpus is empty; expected some text: "):
        pretrain(options, text=[str(tmp_path / "empty.txt")], output=str(tmp_path / "x"))


def test_default_architectures():
    def config(objective, **changes):
        return base_config(PretrainOptions(text=["x"], objective=objective, **changes), parse_objective(objective))

    assert [config(name).model_type for name in ("mlm+nsp", "rtd", "clm", "span-corruption", "mass", "mlm,clm")] == [
        "bert", "electra", "gpt2", "t5", "bart", "bert"]
    assert config("clm-reverse").attention_type == "causal_reverse"
    own = config("mlm", model_type="roberta", hidden_size=32, num_attention_heads=2, layerdrop=0.2)
    assert (own.model_type, own.hidden_size, own.layerdrop) == ("roberta", 32, 0.2)
