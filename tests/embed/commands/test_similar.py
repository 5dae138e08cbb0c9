"""The verbs `similar` and `sts-eval`."""

import json

import numpy as np
import pytest

from tests.embed.encoder.encoder_cases import TEXTS
from tfplm.cli import add_flags
from tfplm.embed.commands.similar import nearest, run, similarity
from tfplm.embed.commands.sts_eval import evaluate, read_pairs
from tfplm.embed.commands.sts_eval import run as sts_eval
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.options.similar import SimilarOptions
from tfplm.options.sts_eval import StsEvalOptions

PAIRS = [("a dog", "a dog", 5), ("a dog", "the cat sleeps", 2), ("我们去公园。", "我们下午去公园散步。", 4),
         ("天气好", "a dog", 0), ("rates rose", "rates rose again", 4.5), ("running dogs", "天气", 1),
         ("3.14", "the warm stone", 0.5)]


def cosine(made, a, b):
    a, b = made.encode([a, b])
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def test_two_texts(made, saved, capsys):
    (value,) = run(SimilarOptions(init=saved, a="a dog", b="我们去公园。"))
    assert value == pytest.approx(cosine(made, "a dog", "我们去公园。"), abs=1e-5)
    assert json.loads(capsys.readouterr().out) == {"cosine": pytest.approx(float(value))}


def test_a_number_at_a_terminal(saved, capsys, terminal):
    (value,) = run(SimilarOptions(init=saved, a="a dog", b="我们去公园。"))
    assert capsys.readouterr().out == f"{value:.4f}\n"


@pytest.mark.parametrize("swap", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_text_and_a_file(swap, made, saved, tmp_path, capsys, terminal):
    lines = [text for text in TEXTS if text.strip()]
    (tmp_path / "t.txt").write_text("\n".join(lines), encoding="utf-8")
    a, b = ("a dog", str(tmp_path / "t.txt"))[::-1 if swap else 1]
    found = run(SimilarOptions(init=saved, a=a, b=b, top=3))
    cosines = [cosine(made, "a dog", line) for line in lines]
    assert [line for _, _, line in found] == [lines[i] for i in np.argsort(cosines)[::-1][:3]]
    np.testing.assert_allclose([score for score, _, _ in found], sorted(cosines)[::-1][:3], atol=1e-5)
    assert capsys.readouterr().out.splitlines()[2].split() == ["1.0000", str(lines.index("a dog")), "a", "dog"]


def test_two_files(made, saved, tmp_path, capsys):
    for name, side in (("a.txt", 0), ("b.txt", 1)):
        (tmp_path / name).write_text("\n".join(pair[side] for pair in PAIRS) + "\n", encoding="utf-8")
    cosines = run(SimilarOptions(init=saved, a=str(tmp_path / "a.txt"), b=str(tmp_path / "b.txt")))
    np.testing.assert_allclose(cosines, [cosine(made, a, b) for a, b, _ in PAIRS], atol=1e-5)
    assert len(capsys.readouterr().out.splitlines()) == len(PAIRS)


def test_two_files_in_chunks(made, saved, tmp_path, monkeypatch):
    import tfplm.embed.commands.similar as module

    for name, lines in (("a.txt", TEXTS[:5]), ("b.txt", TEXTS[:4])):
        (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    a, b = str(tmp_path / "a.txt"), str(tmp_path / "b.txt")
    whole = run(SimilarOptions(init=saved, a=a, b=a))
    monkeypatch.setattr(module, "_CHUNK", 2)
    np.testing.assert_allclose(run(SimilarOptions(init=saved, a=a, b=a)), whole, atol=1e-5)
    with pytest.raises(ValueError, match=r"a.txt and .*b.txt have different numbers of lines, 5 and 4: expected eq"):
        run(SimilarOptions(init=saved, a=a, b=b))


def test_a_text_longer_than_a_file_name(saved):
    assert len(run(SimilarOptions(init=saved, a="天气好" * 500, b="天气"))) == 1


def test_lists_of_different_lengths(made):
    with pytest.raises(ValueError, match="2 and 1 texts: expected equally many, because text i is compared with"):
        similarity(made, ["a", "b"], ["c"])


def test_nearest_in_chunks(made, monkeypatch):
    import tfplm.embed.commands.similar as module

    whole = nearest(made, "a dog", TEXTS, 4)
    monkeypatch.setattr(module, "_CHUNK", 3)
    parts = nearest(made, "a dog", iter(TEXTS), 4)
    assert [index for _, index, _ in parts] == [index for _, index, _ in whole]


def test_correlations_equal_those_of_scipy(made, tmp_path):
    stats = pytest.importorskip("scipy.stats")
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in PAIRS), encoding="utf-8")
    examples = read_pairs(str(path))
    cosines = [cosine(made, a, b) for a, b, _ in PAIRS]
    scores = [score for _, _, score in PAIRS]
    spearman, pearson = evaluate(made, examples)
    assert spearman == pytest.approx(100 * stats.spearmanr(cosines, scores).statistic, abs=0.01)
    assert pearson == pytest.approx(100 * stats.pearsonr(cosines, scores).statistic, abs=0.01)


@pytest.mark.parametrize(("name", "rows"), [("stsb", 1500), ("stsb_zh", 1458), ("afqmc", 4316)])
def test_layouts(name, rows, data):
    examples = read_pairs(str(data(name)))
    assert len(examples) == rows and all(isinstance(example.label, float) for example in examples)


@pytest.mark.parametrize(("text", "message"), [("a dog\t1\n天气\t2\n", "p.tsv:1: no second text"),
                                               ("a dog\tthe cat\n天气\t我们\n", "no score|a number")])
def test_wrong_files(text, message, tmp_path):
    (tmp_path / "p.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_pairs(str(tmp_path / "p.tsv"))


@pytest.mark.slow
def test_the_table(saved, tmp_path, capsys, terminal):
    (tmp_path / "dev.tsv").write_text("".join(f"{a}\t{b}\t{s}\n" for a, b, s in PAIRS), encoding="utf-8")
    results = sts_eval(StsEvalOptions(init=saved, data=[str(tmp_path)], table=True, components=4))
    assert {(r.pooling, r.layers) for r in results} >= {("REDUCE_MEAN", "first-last"), ("FIRST_TOKEN", "last")}
    assert {r.whitening for r in results} == {"no", "4", "10"}
    assert len(results) == (3 * 3 + 1) * 3  # the pooler has no layers
    output = capsys.readouterr().out
    assert f"{len(PAIRS)} pairs" in output and "first-last" in output


def test_one_line_and_a_saved_whitening(saved, tmp_path, capsys):
    (tmp_path / "p.tsv").write_text("".join(f"{a}\t{b}\t{s}\n" for a, b, s in PAIRS), encoding="utf-8")
    (tmp_path / "t.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    arguments = {"init": saved, "data": [str(tmp_path / "p.tsv")], "quiet": True}
    plain, white = sts_eval(StsEvalOptions(**arguments, whiten_text=[str(tmp_path / "t.txt")], components=3,
                                           save_whitening=str(tmp_path / "w.npz")))
    assert (plain.whitening, white.whitening) == ("no", "3")
    (again,) = sts_eval(StsEvalOptions(**arguments, whitening=str(tmp_path / "w.npz")))
    assert again.spearman == pytest.approx(white.spearman, abs=1e-4)
    assert again.whitening == "given"
    with pytest.raises(ValueError, match="choose one of them"):
        sts_eval(StsEvalOptions(**arguments, whitening=str(tmp_path / "w.npz"), whiten=True))


def test_flags_of_the_verbs():
    import argparse

    for options in (SimilarOptions, StsEvalOptions):
        parser = argparse.ArgumentParser()
        add_flags(parser, options)
        assert "--pooling" in parser.format_help()
    given = vars(parser.parse_args("dev.tsv --layers -1 -2 --no-normalize --pooling mean cls --init x".split()))
    assert given == {"data": ["dev.tsv"], "layers": [-1, -2], "normalize": False, "pooling": ["mean", "cls"], "init": "x"}


def test_sentence_encoder_of_options(saved):
    assert SentenceEncoder.from_pretrained(saved).recipe.plan.strategies[0].name == "REDUCE_MEAN"
