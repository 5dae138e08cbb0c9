"""Filling masks: against a direct computation and transformers, and the errors."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest

import tfplm
from tests.models.scoring.language_model_cases import save
from tfplm.models.scoring.fill_mask import Candidate, _as_text, _row, fill_mask, run


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    keras.utils.set_random_seed(1)
    return save("bert", tmp_path_factory.mktemp("bert"))


def test_probabilities_equal_those_of_the_model(bert):
    text = "今天[MASK]气很[MASK]，the [MASK] was white"
    (masks,) = fill_mask(bert.folder, text, top_k=3)
    batch = bert.tokenizer(text)
    logits = np.asarray(bert.model(batch))[0]
    positions = np.flatnonzero(batch["input_ids"][0] == bert.tokenizer.mask_token_id)
    assert len(masks) == len(positions) == 3
    for candidates, position in zip(masks, positions):
        expected = np.exp(logits[position] - np.logaddexp.reduce(logits[position]))
        best = np.argsort(-expected)[:3]
        assert [c.token_id for c in candidates] == best.tolist()
        np.testing.assert_allclose([c.probability for c in candidates], expected[best], rtol=1e-4)
        assert [c.token for c in candidates] == bert.tokenizer.convert_ids_to_tokens(best)


def test_the_text_has_the_candidate_and_the_most_likely_others(bert):
    (masks,) = fill_mask(bert.model, "[MASK]天天[MASK]好", tokenizer=bert.tokenizer)
    first, second = masks
    assert first[1].text == bert.tokenizer.decode([first[1].token_id, *bert.tokenizer("天天")["input_ids"][0][1:-1],
                                                   second[0].token_id, bert.tokenizer.vocab["好"]])


@pytest.mark.parametrize("family", ["bert", "albert", "roberta", "bart"])
def test_equals_transformers(family, tmp_path):
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    keras.utils.set_random_seed(2)
    # their BART uses all rows of the position table, ours skips the two before the first position
    saved = save(family, tmp_path)
    mask = saved.tokenizer.mask_token
    texts = [f"the whale was {mask}", f"曹操引{mask}追赶，the ship {mask} on the sea"]
    model = {"bart": "BartForConditionalGeneration"}.get(family, "AutoModelForMaskedLM")
    pipeline = transformers.FillMaskPipeline(model=getattr(transformers, model).from_pretrained(tmp_path),
                                             tokenizer=transformers.AutoTokenizer.from_pretrained(tmp_path))
    ours = fill_mask(tmp_path, texts, top_k=4)
    for text, masks in zip(texts, ours):
        theirs = pipeline(text, top_k=4)
        theirs = [theirs] if text.count(mask) == 1 else theirs
        for candidates, expected in zip(masks, theirs, strict=True):
            assert [c.token_id for c in candidates] == [e["token"] for e in expected]
            np.testing.assert_allclose([c.probability for c in candidates], [e["score"] for e in expected], rtol=1e-3)


def test_batches_equal_single_texts(bert):
    texts = ["the [MASK]", "却说[MASK]操引军追赶[MASK]玄德大惊", "[MASK]", "a whale and a [MASK] and a storm"] * 3
    together = fill_mask(bert.model, texts, batch_size=4, tokenizer=bert.tokenizer)
    for text, masks in zip(texts, together):
        (alone,) = fill_mask(bert.model, text, tokenizer=bert.tokenizer)
        assert [[c.token_id for c in m] for m in masks] == [[c.token_id for c in m] for m in alone]


def test_the_error_of_a_text_without_a_mask_names_the_mask_token(bert):
    with pytest.raises(ValueError, match=r"no mask in the text '今天天气<mask>'; .*: write \[MASK\] .*in place of <mask>"):
        fill_mask(bert.folder, ["[MASK]", "今天天气<mask>"])
    with pytest.raises(ValueError, match=r"no mask in the text ''; expected at least one: write \[MASK\]"):
        fill_mask(bert.folder, "")


def test_a_long_text_is_truncated_around_its_masks(bert):
    before, after = "天" * 300, "气" * 300
    ((candidates,),) = fill_mask(bert.folder, f"{before}[MASK]{after}")
    ((expected,),) = fill_mask(bert.folder, "天" * 11 + "[MASK]" + "气" * 10)
    assert [c.token_id for c in candidates] == [c.token_id for c in expected]
    assert len(fill_mask(bert.folder, f"[MASK]{after}")[0]) == len(fill_mask(bert.folder, f"{before}[MASK]")[0]) == 1
    with pytest.raises(ValueError, match="spread over 302 tokens, but the model has 24 positions"):
        fill_mask(bert.folder, f"[MASK]{after}[MASK]")


def test_a_source_without_the_head(tmp_path):
    save("bert", tmp_path / "encoder", head=None)
    with pytest.raises(ValueError, match=r"has no masked language model's head \(lm_.*random weights would predict"):
        fill_mask(tmp_path / "encoder", "[MASK]")
    saved = save("bert", tmp_path / "classifier", head="sequence_classification")
    with pytest.raises(ValueError, match="has no masked language model's head"):
        fill_mask(tmp_path / "classifier", "[MASK]")
    with pytest.raises(ValueError, match="the head 'sequence_classification'; expected the head of a language model"):
        fill_mask(saved.model, "[MASK]", tokenizer=saved.tokenizer)


def test_other_models(tmp_path, bert):
    saved = save("gpt2", tmp_path / "gpt2")
    with pytest.raises(ValueError, match="causal language model, which predicts from the left only and has no masks"):
        fill_mask(saved.folder, "the <mask>")
    save("t5", tmp_path / "t5")
    with pytest.raises(ValueError, match=r"the vocabulary \(t5\) has no mask token"):
        fill_mask(tmp_path / "t5", "the <extra_id_0>")
    with pytest.raises(ValueError, match="tokenizer is None; expected its tokenizer"):
        fill_mask(bert.model, "[MASK]")
    with pytest.raises(ValueError, match="top_k is 0; expected 1 to"):
        fill_mask(bert.folder, "[MASK]", top_k=0)


def test_keras_and_tf1_files(bert, tmp_path):
    expected = fill_mask(bert.folder, "玄德[MASK]惊")
    (tmp_path / "keras").mkdir()
    bert.model.save(tmp_path / "keras" / "model.keras")
    bert.tokenizer.save_pretrained(tmp_path / "keras")
    tfplm.save_pretrained(bert.model, tmp_path / "tf1", bert.tokenizer, format="tf1")
    for name in ("keras", "tf1"):
        found = fill_mask(tmp_path / name, "玄德[MASK]惊")
        assert [c.token_id for c in found[0][0]] == [c.token_id for c in expected[0][0]]


def test_the_verb_prints_texts_and_candidates(bert, capsys, tmp_path, terminal):
    run(source=str(bert.folder), texts=["今天天气很[MASK]。"], top_k=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "今天天气很[MASK]。" and re.match(r"   (0\.\d\d|<0\.01)  \S", lines[1]) and len(lines) in (3, 4)
    (tmp_path / "texts.txt").write_text("the [MASK]\n\n[MASK]天[MASK]\n", encoding="utf-8")
    assert len(run(source=str(bert.folder), file=str(tmp_path / "texts.txt"))) == 2
    assert "  mask 2 of 2" in capsys.readouterr().out


def test_json_through_a_pipe_and_in_files(bert, capsys, tmp_path):
    (((first, _),),) = run(source=str(bert.folder), texts=["今天天气很[MASK]。"], top_k=2)
    row = json.loads(capsys.readouterr().out)
    assert row["text"] == "今天天气很[MASK]。" and row["masks"][0][0] == dataclasses.asdict(first)
    run(source=str(bert.folder), texts=["今天天气很[MASK]。"], top_k=2, output=str(tmp_path / "masks.json"))
    assert json.loads((tmp_path / "masks.json").read_text(encoding="utf-8")) == [row] and capsys.readouterr().out == ""


def test_a_model_that_knows_nothing_is_called_unsure():
    def shown(*candidates):
        return _as_text(_row("[MASK] b", [list(candidates)]), 4318)

    text = shown(Candidate("a", 1, 0.0004, "a b"), Candidate("b", 2, 0.0003, "b b"))
    assert "the model is unsure: the best has 0.04%, and each of 4,318 tokens would have 0.02% by chance" in text
    assert "unsure" not in shown(Candidate("a", 1, 0.04, "a b"))
