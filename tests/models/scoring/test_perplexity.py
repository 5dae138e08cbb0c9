"""Perplexity of three kinds of models: against one forward pass per token, also at the edges of windows."""

import json
import math

import keras
import numpy as np
import pytest

from tests.models.scoring.language_model_cases import save
from tfplm.models.scoring.perplexity import perplexity, run
from tfplm.models.scoring.windows import causal_windows, masked_windows

TEXTS = ["the whale was white and the sea was wide, the ship sailed on the sea; a storm, a storm!",
         "却说曹操引军追赶，玄德大惊", "天"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    keras.utils.set_random_seed(4)
    return {family: save(family, tmp_path_factory.mktemp(family)) for family in ("bert", "gpt2", "bart", "t5")}


def ids_of(saved, text, special=False):
    return saved.tokenizer(text, truncation=False, add_special_tokens=special)["input_ids"][0]


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    return logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)


@pytest.mark.parametrize("windows", [causal_windows, masked_windows])
def test_windows_score_every_token_once_and_fit(windows):
    for tokens in range(1, 60):
        for size in (2, 7, 16):
            for stride in (1, 3, size // 2, size):
                if not 1 <= stride <= size:
                    continue
                found = list(windows(tokens, size, stride))
                scored = [position for w in found for position in range(w.first, w.last)]
                assert scored == list(range(windows is causal_windows, tokens))
                assert all(0 <= w.start <= w.first < w.last <= w.end <= tokens and w.end - w.start <= size
                           for w in found)
                if windows is causal_windows:  # every scored token has a preceding one
                    assert all(w.start < w.first for w in found) or stride == size


def test_causal_perplexity_equals_that_of_single_tokens(saved):
    gpt2, total, count = saved["gpt2"], 0.0, 0
    result = perplexity(gpt2.folder, TEXTS, max_length=10, stride=4, batch_size=3)
    for text, score in zip(TEXTS, result.scores):
        ids = ids_of(gpt2, text)
        expected = 0.0
        for window in causal_windows(len(ids), 10, 4):
            for position in range(window.first, window.last):
                logits = np.asarray(gpt2.model(ids[None, window.start:position]))[0, -1]
                expected += log_softmax(logits)[ids[position]]
        assert score.tokens == len(ids) - 1
        assert score.log_probability == pytest.approx(expected, rel=1e-4)
        total, count = total + expected, count + score.tokens
    assert result.kind == "causal" and result.tokens == count
    assert result.perplexity == pytest.approx(math.exp(-total / count), rel=1e-4)


def test_causal_perplexity_equals_transformers(saved):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    gpt2 = saved["gpt2"]
    theirs = transformers.AutoModelForCausalLM.from_pretrained(gpt2.folder)
    text = "the ship sailed on the sea"
    ids = torch.tensor(ids_of(gpt2, text)[None].astype(np.int64))
    with torch.no_grad():
        loss = float(theirs(ids, labels=ids).loss)
    assert perplexity(gpt2.folder, text).loss == pytest.approx(loss, rel=1e-5)


def test_stops_after_max_tokens(saved):
    few = perplexity(saved["gpt2"].folder, TEXTS, max_length=8, max_tokens=5)
    whole = perplexity(saved["gpt2"].folder, TEXTS[0], max_length=8)
    assert [score.tokens for score in few.scores] == [5, 0, 0] and math.isnan(few.scores[1].perplexity)
    assert whole.tokens > 5 and few.tokens == 5


def test_bos_scores_the_first_token(saved):
    gpt2 = saved["gpt2"]
    ids = ids_of(gpt2, "the sea")
    bos = gpt2.tokenizer.bos_token_id
    logits = log_softmax(gpt2.model(np.array([[bos, *ids]], np.int32)))[0]
    expected = sum(logits[n, token] for n, token in enumerate(ids))
    assert perplexity(gpt2.folder, "the sea", bos=True).scores[0].log_probability == pytest.approx(expected, rel=1e-4)


def test_pseudo_perplexity_masks_one_token_at_a_time(saved):
    bert = saved["bert"]
    result = perplexity(bert.folder, TEXTS, max_length=12, stride=5, batch_size=2)
    for text, score in zip(TEXTS, result.scores):
        ids = ids_of(bert, text)
        expected = 0.0
        for window in masked_windows(len(ids), 10, 5):
            for position in range(window.first, window.last):
                row = np.array([bert.tokenizer.cls_token_id, *ids[window.start:window.end],
                                bert.tokenizer.sep_token_id], np.int32)
                row[position - window.start + 1] = bert.tokenizer.mask_token_id
                expected += log_softmax(bert.model(row[None]))[0, position - window.start + 1, ids[position]]
        assert (score.tokens, score.log_probability) == (len(ids), pytest.approx(expected, rel=1e-4))
    assert result.kind == "masked"


@pytest.mark.parametrize("family", ["bart", "t5"])
def test_targets_of_encoder_decoders_equal_transformers(saved, family):
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    sources, targets = ["the white whale", "曹操引军"], ["the sea was wide", "玄德大惊。"]
    ours = perplexity(saved[family].folder, sources, targets)
    theirs = transformers.AutoModelForSeq2SeqLM.from_pretrained(saved[family].folder).eval()
    for source, target, score in zip(sources, targets, ours.scores):
        ids, labels = (torch.tensor(ids_of(saved[family], text, True)[None].astype(np.int64))
                       for text in (source, target))
        with torch.no_grad():
            loss = float(theirs(input_ids=ids, labels=labels).loss)
        assert score.tokens == labels.shape[1]
        assert -score.log_probability / score.tokens == pytest.approx(loss, rel=1e-4)


def test_texts_and_targets_must_fit_the_model(saved):
    with pytest.raises(ValueError, match="pass both, or lines SOURCE TAB TARGET"):
        perplexity(saved["bart"].folder, "the sea")
    with pytest.raises(ValueError, match="which are for encoder-decoders only, but this is a causal model: omit them"):
        perplexity(saved["gpt2"].folder, "the sea", "the whale")
    with pytest.raises(ValueError, match="there are 1 texts and 2 targets; expected equally many"):
        perplexity(saved["t5"].folder, "the sea", ["the whale", "a"])


@pytest.mark.parametrize("family", ["bert", "gpt2"])
def test_nothing_to_score(saved, family):
    with pytest.raises(ValueError, match="there is no token to score; expected at least one: the text is empty"):
        perplexity(saved[family].folder, ["", ""])
    with pytest.raises(ValueError, match="there is no token to score"):
        perplexity(saved[family].folder, [])


def test_wrong_windows(saved):
    with pytest.raises(ValueError, match="max_length is 100; expected at most 24, the positions of the model"):
        perplexity(saved["bert"].folder, "天", max_length=100)
    with pytest.raises(ValueError, match="stride is 11; expected at most 10, the text tokens .* max_length 12"):
        perplexity(saved["bert"].folder, "天", max_length=12, stride=11)
    with pytest.raises(ValueError, match="stride is 0, expected at least 1"):
        perplexity(saved["bert"].folder, "天", stride=0)


def test_a_source_without_the_head(tmp_path):
    save("gpt2", tmp_path / "gpt2", head=None)  # the tied embeddings are the head
    assert perplexity(tmp_path / "gpt2", "the sea").tokens > 0
    save("bert", tmp_path / "bert", head=None)
    with pytest.raises(ValueError, match="random weights would predict noise"):
        perplexity(tmp_path / "bert", "the sea")


def test_the_verb_reads_files(saved, tmp_path, capsys, terminal):
    (tmp_path / "a.txt").write_text("却说曹操\n引军追赶\n", encoding="utf-8")
    whole = run(source=str(saved["gpt2"].folder), text=[str(tmp_path / "a.txt")], quiet=True)
    assert whole.tokens == perplexity(saved["gpt2"].folder, "却说曹操\n引军追赶").tokens
    assert capsys.readouterr().out == f"perplexity {whole.perplexity:.4f}  ({whole.tokens:,} tokens, " \
                                      f"{whole.loss:.4f} nats a token)\n"
    lines = run(source=str(saved["bert"].folder), text=[str(tmp_path)], by="line", per_text=True, quiet=True)
    shown = capsys.readouterr().out.splitlines()
    assert len(lines.scores) == 2 and shown[0].endswith("\t4\t却说曹操") and shown[2].startswith("pseudo-perplexity ")
    run(source=str(saved["gpt2"].folder), text=[str(tmp_path / "a.txt")], quiet=True, json=True)
    assert json.loads(capsys.readouterr().out) == {"perplexity": whole.perplexity, "tokens": whole.tokens,
                                                   "loss": whole.loss, "kind": "causal"}


def test_the_verb_reads_pairs(saved, tmp_path):
    (tmp_path / "pairs.tsv").write_text("the whale\tthe sea\n曹操\t玄德\n", encoding="utf-8")
    result = run(source=str(saved["t5"].folder), text=[str(tmp_path / "pairs.tsv")], quiet=True)
    assert result.kind == "seq2seq" and len(result.scores) == 2
    (tmp_path / "pairs.tsv").write_text("the whale\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no tab in the line 'the whale'; expected lines SOURCE TAB TARGET"):
        run(source=str(saved["t5"].folder), text=[str(tmp_path / "pairs.tsv")], quiet=True)


def test_errors_of_the_verb(saved, tmp_path):
    empty = tmp_path / "empty.txt"
    empty.write_text("\n \n")
    with pytest.raises(ValueError, match=r"empty\.txt: there is no text; expected at least one line that is not empty"):
        run(source=str(saved["gpt2"].folder), text=[str(empty)])
    with pytest.raises(FileNotFoundError, match=r"there is no file or folder .*emty\.txt; the nearest: .*empty\.txt"):
        run(source=str(saved["gpt2"].folder), text=[str(tmp_path / "emty.txt")])
    (tmp_path / "gbk.txt").write_bytes("却说曹操引军追赶，玄德大惊。".encode("gb18030") * 9)
    with pytest.raises(ValueError, match="it looks like GBK: give --encoding gb18030"):
        run(source=str(saved["gpt2"].folder), text=[str(tmp_path / "gbk.txt")])
