"""Text-to-text tasks: translation, summarization, and an encoder-decoder that is initialized from an encoder."""

import gzip
import subprocess
import sys

import numpy as np
import pytest

import tfplm
from tests.adapt.adapt_cases import TINY, save_bert, train
from tfplm.adapt.finetune.evaluate import evaluate
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.finetune.start import warm_start
from tfplm.adapt.tasks.targets import Summarization, Translation
from tfplm.adapt.tasks.task import TaskSettings
from tfplm.data.batches.batching import collate, token_pads
from tfplm.data.tasks.examples import TargetExample
from tfplm.models.pretrained.weights import named_variables
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.train import train_vocabulary

PAIRS = [("电影", "this is a movie"), ("音乐", "here is some music"), ("我喜欢", "i like it so much"),
         ("北京大学", "a university of the north"), ("天气很热", "it is hot in here"), ("今天下雨", "we have rain today")]
SIZES = {"num_hidden_layers": 1, "hidden_size": 48, "num_attention_heads": 2, "intermediate_size": 96,
         "initializer_range": 0.1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def write_pairs(folder, repeat: int = 60):
    folder.mkdir()
    for split, times in (("train", repeat), ("dev", 1)):
        for side, index in (("zh", 0), ("en", 1)):
            text = "".join(pair[index] + "\n" for pair in PAIRS) * times
            (folder / f"{split}.{side}").write_text(text, encoding="utf-8")
    return {f"{split}_file": f"{folder / f'{split}.zh'},{folder / f'{split}.en'}" for split in ("train", "dev")}


def features(tokenizer, **settings) -> list[dict]:
    task = Translation(tokenizer, TaskSettings(**settings))
    return task, task.features([TargetExample("电影", "我 喜 欢"), TargetExample("音乐", "电")], True)


def test_targets_of_bert_start_with_cls_and_end_with_sep(tiny):
    tokenizer = Tokenizer.from_pretrained(tiny)
    task, (first, _) = features(tokenizer)
    plain = tokenizer("我 喜 欢", add_special_tokens=False)["input_ids"][0].tolist()
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert first["target_ids"].tolist() == [*plain, sep] and first["decoder_input_ids"].tolist() == [cls, *plain]
    assert task.config_changes()["decoder_start_token_id"] == cls and task.config_changes()["eos_token_id"] == sep


@pytest.mark.parametrize("family, kind", [("bart", "byte_bpe"), ("t5", "sentencepiece")])
def test_targets_of_other_families_start_as_in_their_pretraining(family, kind):
    texts = [text for pair in PAIRS for text in pair] * 20
    tokenizer = train_vocabulary(texts, kind, 400, model_type=family)
    task, (first, second) = features(tokenizer)
    start = tokenizer.eos_token_id if family == "bart" else tokenizer.pad_token_id
    whole = tokenizer("我 喜 欢")["input_ids"][0].tolist()
    assert first["target_ids"].tolist() == whole and whole[-1] == task.end == tokenizer.eos_token_id
    assert first["decoder_input_ids"].tolist() == [start, *whole[:-1]]
    batch = collate([first, second], 8, token_pads(tokenizer.pad_token_id))
    x, y, weights = task.split(batch)
    assert set(x) == {"input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask", "example"}
    assert y.shape == weights.shape == x["decoder_attention_mask"].shape
    assert weights.sum() == pytest.approx(weights.size) and (weights > 0).sum() == len(whole) + len(second["target_ids"])


def test_targets_are_truncated(tiny):
    task, (first, _) = features(Tokenizer.from_pretrained(tiny), max_target_length=3)
    assert len(first["decoder_input_ids"]) <= 3
    with pytest.raises(ValueError, match="x.tsv:2: no target; expected one for training and evaluation"):
        task.features([TargetExample("电影", origin="x.tsv:2")], True)


def test_scores_depend_on_the_language(tiny):
    tokenizer = Tokenizer.from_pretrained(tiny)
    examples = [TargetExample("x", "今天天气很热"), TargetExample("y", "我喜欢电影")]
    same, other = [{"text": example.target} for example in examples], [{"text": "今天天气很冷"}, {"text": "我喜欢音乐"}]
    chinese = Translation(tokenizer, TaskSettings(language="zh"))
    assert chinese.score(same, examples)["bleu"] == pytest.approx(100) and 20 < chinese.score(other, examples)["bleu"] < 100
    summary = Summarization(tokenizer, TaskSettings(language="zh"))
    assert summary.score(same, examples)["rouge_l"] == pytest.approx(100)
    assert 50 < summary.score(other, examples)["rouge_1"] < 100
    assert Summarization(tokenizer, TaskSettings()).score(other, examples)["rouge_1"] == 0  # one English word each


def test_both_stacks_start_with_the_weights_of_the_encoder(tiny):
    tokenizer = Tokenizer.from_pretrained(tiny)
    model = warm_start(tiny, tokenizer)
    source = named_variables(tfplm.from_pretrained(tiny))
    variables = named_variables(model)
    for path, variable in source.items():
        if path.startswith(("encoder/", "embeddings/")):
            np.testing.assert_array_equal(variables[path].numpy(), variable.numpy(), err_msg=path)
            other = path.replace("encoder/", "decoder/", 1) if path.startswith("encoder/") else path
            if other in variables:
                np.testing.assert_array_equal(variables[other].numpy(), variable.numpy(), err_msg=other)
    assert any("cross" in path for path in variables) and "pooler/kernel" not in variables
    assert model.config.decoder_start_token_id == tokenizer.cls_token_id
    assert model.config.eos_token_id == tokenizer.sep_token_id


def test_models_that_cannot_be_warm_started(tmp_path):
    for name, preset, changes in (("decoder", "gpt2", {}), ("shared", "bert-tiny", {"share": "all"})):
        model = tfplm.from_config(preset, **{**TINY, **changes, "vocab_size": 40})
        tfplm.save_pretrained(model, tmp_path / name)
        with pytest.raises(ValueError, match="expected an encoder whose layers share no weights"):
            warm_start(tmp_path / name, None)


@pytest.mark.slow
@pytest.mark.parametrize("preset, changes", [("bart-base", {}), ("t5-small", {
    "head_dim": 24, "num_hidden_layers": 2, "initializer_range": 1.0})], ids=["bart", "t5"])
def test_new_models_overfit_a_few_pairs(tmp_path, preset, changes):
    data = write_pairs(tmp_path / "data")
    result = train(None, tmp_path / "model", task="translation", preset=preset, **data, **{**SIZES, **changes},
                   vocab_size=400, epochs=6, max_target_length=28)
    assert result.dev["bleu"] > 60 and result.history["loss"][-1] < 0.3 * result.history["loss"][0]
    rows = Predictor.from_pretrained(tmp_path / "model").predict([source for source, _ in PAIRS])
    assert sum(row["text"] == target for row, (_, target) in zip(rows, PAIRS)) >= 5
    scores = evaluate(source=str(tmp_path / "model"), data=data["dev_file"], quiet=True)
    assert scores == pytest.approx(result.dev)
    tfplm.from_pretrained(tmp_path / "model", "seq2seq_lm")


@pytest.mark.slow
def test_two_encoders_become_an_encoder_decoder(tmp_path):
    source, data = save_bert(tmp_path / "bert", hidden_size=48), write_pairs(tmp_path / "data")
    result = train(source, tmp_path / "model", task="summarization", **data, epochs=3, max_target_length=28, num_beams=2)
    assert result.dev["rouge_l"] > 80
    assert (tmp_path / "model" / "model.keras").is_file()
    sources = [text for text, _ in PAIRS]
    before = Predictor(result.model, result.task).predict(sources)
    assert Predictor.from_pretrained(tmp_path / "model").predict(sources) == before
    assert sum(row["text"] == target for row, (_, target) in zip(before, PAIRS)) >= 5
    program = f"import tfplm; tfplm.from_pretrained({str(tmp_path / 'model')!r}, 'seq2seq_lm')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)  # does not import fine-tuning losses
    model = tfplm.from_pretrained(tmp_path / "model", "seq2seq_lm")
    batch = result.task.tokenizer(sources[:1])
    assert np.asarray(model.generate(batch, max_new_tokens=8)).shape[0] == 1
    assert not model.compiled


@pytest.mark.slow
def test_odd_texts(tmp_path):
    source, data = save_bert(tmp_path / "bert"), write_pairs(tmp_path / "data", 2)
    train(source, tmp_path / "model", task="translation", **data, epochs=1, max_target_length=5)
    rows = Predictor.from_pretrained(tmp_path / "model").predict(["", "好" * 10_000, "😀", "mixed 中文"])
    assert len(rows) == 4 and all(isinstance(row["text"], str) for row in rows)


@pytest.mark.slow
def test_rows_of_multi30k(data, tmp_path):
    for split in ("train", "val"):
        for side in ("en", "de"):
            with gzip.open(next(data("multi30k_en_de").glob(f"{split}*.{side}.gz")), "rt", encoding="utf-8") as file:
                lines = file.read().splitlines()[:16]
            (tmp_path / f"{split}.{side}").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = train(None, tmp_path / "model", task="translation", data=str(tmp_path), text_column="en", target_column="de",
                   preset="bart-base", **SIZES, vocab_size=500, epochs=1, max_target_length=16)
    assert 0 <= result.dev["bleu"] <= 100 and "length_ratio" in result.dev
