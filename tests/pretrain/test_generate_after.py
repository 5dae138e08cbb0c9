"""Pre-train, then generate: the special ids of the tokenizer in use are in the saved configuration."""

import json
from pathlib import Path

import pytest

import tfplm
from tests.pretrain.test_pretrain import TINY, write_text
from tfplm.data.records.build import records
from tfplm.families import registry
from tfplm.models.generation.command import generate
from tfplm.models.pretrained.fitting import fit_tokenizer
from tfplm.options.pretrain import PretrainOptions
from tfplm.pretrain.run import pretrain
from tfplm.tokenizers.train import learn_once, train_vocabulary

SMALL = {**TINY, "steps": 1, "held_out": 0.0, "summary_every": 0}
# preset -> (objective, options)
LEARNED = {
    "gpt2": ("clm", {"vocab_size": 400}), "openai-gpt": ("clm", {"vocab_size": 200}),
    "bart-base": ("denoising", {"vocab_size": 400}), "t5-small": ("span-corruption", {"vocab_size": 300, "head_dim": 8}),
    "bert-tiny": ("clm", {"vocab_size": 200}),
}


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> Path:
    return write_text(tmp_path_factory.mktemp("text") / "三国.txt")


@pytest.mark.parametrize("preset", [
    pytest.param(name, marks=[] if name == "bart-base" else [pytest.mark.slow]) for name in LEARNED])
def test_with_a_learned_vocabulary(preset, text, tmp_path):
    objective, options = LEARNED[preset]
    result = pretrain(text=[str(text)], objective=objective, preset=preset, output=str(tmp_path / "model"),
                      log_dir=str(tmp_path / "logs"), **{**SMALL, **options})
    tokenizer, config = tfplm.Tokenizer.from_pretrained(result.output), result.model.config
    saved = json.loads((result.output / "config.json").read_text())
    end = tokenizer.eos_token_id if tokenizer.eos_token_id is not None else tokenizer.sep_token_id
    assert saved["eos_token_id"] == config.eos_token_id == end < len(tokenizer)
    if config.architecture == "seq2seq":
        assert saved["decoder_start_token_id"] == (end if preset == "bart-base" else tokenizer.pad_token_id)
    again = tfplm.from_pretrained(result.output, config.language_head).config
    assert {name: getattr(again, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")} == {
        name: getattr(config, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    assert len(generate(source=str(result.output), prompts=["话说"], max_new_tokens=3, quiet=True)) == 1


def test_with_the_vocabulary_of_another_family(text, tmp_path):
    """GPT-2 on records of a WordPiece vocabulary, which has no <|endoftext|>: texts end with [SEP]."""
    train_vocabulary(text.read_text(encoding="utf-8").splitlines(), vocab_size=150).save_pretrained(tmp_path / "vocabulary")
    records(text=[str(text)], output=str(tmp_path / "records"), tokenizer=str(tmp_path / "vocabulary"), quiet=True)
    result = pretrain(records=[str(tmp_path / "records")], objective="clm", preset="gpt2", output=str(tmp_path / "model"),
                      log_dir=str(tmp_path / "logs"), **SMALL)
    saved, tokenizer = json.loads((result.output / "config.json").read_text()), result.tokenizer
    assert (saved["bos_token_id"], saved["eos_token_id"], saved["pad_token_id"]) == (
        tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id)
    assert len(generate(source=str(result.output), prompts=["话说"], max_new_tokens=3, quiet=True)) == 1


def test_ids_of_other_families_and_of_init(tmp_path):
    lines = ["the cat sat on the mat", "a dog"] * 20
    wordpiece = train_vocabulary(lines, vocab_size=60)
    bytes_bpe = train_vocabulary(lines, "byte_bpe", 300, model_type="gpt2")
    options = PretrainOptions(text=["x"])

    def ids(preset, tokenizer):
        config = fit_tokenizer(registry.preset(preset), tokenizer, options)
        return config.bos_token_id, config.eos_token_id, config.pad_token_id, config.decoder_start_token_id

    cls, sep, pad, end = (wordpiece.cls_token_id, wordpiece.sep_token_id, wordpiece.pad_token_id, bytes_bpe.eos_token_id)
    assert ids("bert-tiny", wordpiece) == (None, None, pad, None)  # an encoder does not generate
    assert ids("gpt2", wordpiece) == (cls, sep, pad, None)
    assert ids("gpt2", bytes_bpe) == (end, end, None, None)
    assert ids("bart-base", wordpiece) == (cls, sep, pad, sep)
    assert ids("t5-small", wordpiece) == (cls, sep, pad, pad)
    # of a model with wrong ids, as earlier versions wrote them, only those are replaced
    config = registry.preset("gpt2").replace(vocab_size=60, bos_token_id=7)
    options.init = "model"
    mended = fit_tokenizer(config, wordpiece, options)
    assert (mended.bos_token_id, mended.eos_token_id, mended.pad_token_id) == (7, sep, pad)


def test_a_missing_end_is_written_as_null(tmp_path):
    model = tfplm.from_config("gpt2", "causal_lm", vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                              max_position_embeddings=8, eos_token_id=None, bos_token_id=None)
    tfplm.save_pretrained(model, tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert "eos_token_id" in saved and saved["eos_token_id"] is None
    assert tfplm.from_pretrained(tmp_path, "causal_lm").config.eos_token_id is None


def test_the_first_gpt_learns_a_token_that_ends_a_text(tmp_path):
    folder = learn_once(tmp_path / "v", ["the cat sat on the mat"] * 20, "openai-gpt", "auto", 60)
    tokenizer = tfplm.Tokenizer.from_pretrained(folder)
    assert tokenizer.eos_token == "</s>" and len(tokenizer) <= 60
    assert tokenizer.decode(tokenizer("the cat</s>", add_special_tokens=False)["input_ids"][0]) == "the cat"
