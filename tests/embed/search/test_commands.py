"""`tfplm index` and `tfplm search`, with a tiny model, and with a fake encoder for meaning."""

import io
import json
import sys

import numpy as np
import pytest

import tfplm.embed.commands.encode_file
from tests.embed.encoder.encoder_cases import encoder as tiny
from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tfplm import cli
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.whitening import Whitening
from tfplm.embed.search import index_command, search_command, store
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.manifest import Manifest, SearchSettings
from tfplm.embed.search.search_index import SearchIndex

LINES = ["我们下午去公园散步。", "天气好", "the cat sleeps on the warm stone.", "a dog", "rates rose again."]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny(folder).save_pretrained(folder)
    return folder


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return path


@pytest.fixture
def fake(monkeypatch):
    """Replaces every model by the fake encoder."""
    encoder = FakeEncoder()
    encoder.origin = {"source": "fake"}
    monkeypatch.setattr(tfplm.embed.commands.encode_file, "open_encoder", lambda options: encoder)
    monkeypatch.setattr(Manifest, "load_encoder", lambda self, folder, source=None: encoder)
    return encoder


@pytest.fixture
def faq(tmp_path, fake, capsys):
    path = tmp_path / "faq.tsv"
    path.write_text("".join(f"{text}\t{payload['answer']}\n" for _, text, payload in FAQ), encoding="utf-8")
    index_command.run(file=[str(path)], output=str(tmp_path / "faq"), init="fake", quiet=True)
    assert capsys.readouterr().out == ""
    return tmp_path / "faq"


def test_texts_in_texts_out(model, texts, tmp_path, capsys, terminal):
    folder = tmp_path / "i"
    assert index_command.run(file=[str(texts)], output=str(folder), init=str(model)) == 5
    out = capsys.readouterr().out
    assert "5 texts read" in out and "5 records; index flat: comparing all 5 vectors" in out
    (hit,) = search_command.run(folder=str(folder), query="a dog", k=1)
    assert hit.text == "a dog" and hit.score == pytest.approx(1, abs=1e-5) and hit.id.endswith("texts.txt:4")
    assert capsys.readouterr().out == "1.0000  a dog\n"
    expected = SentenceEncoder.from_pretrained(model).encode(["天气好"])[0]
    with SearchIndex.open(folder) as index:
        np.testing.assert_allclose(index.get(f"{texts}:2").vector, expected, atol=1e-5)
        assert index.search("天气好", k=1)[0].text == "天气好"


def test_overwriting_an_index(model, texts, tmp_path):
    folder, other = tmp_path / "i", tmp_path / "other.txt"
    other.write_text("one line\n", encoding="utf-8")
    assert index_command.run(file=[str(texts)], output=str(folder), init=str(model), quiet=True) == 5
    assert index_command.run(file=[str(other)], output=str(folder), init=str(model), quiet=True, overwrite=True) == 1
    assert index_command.run(file=[str(texts)], output=str(folder), quiet=True) == 6  # without it, texts are added
    with pytest.raises(ValueError, match="--overwrite was given without a model; .*: add --init"):
        index_command.run(file=[str(texts)], output=str(folder), quiet=True, overwrite=True)


@pytest.mark.slow
def test_the_encoder_is_remembered(model, texts, tmp_path, capsys):
    whitening = tmp_path / "w.npz"
    Whitening.fit(SentenceEncoder.from_pretrained(model, "max").encode(LINES), 3).save(whitening)
    folder = tmp_path / "i"
    index_command.run(file=[str(texts)], output=str(folder), init=str(model), pooling=["max"], whitening=str(whitening))
    whitening.unlink()
    assert search_command.run(folder=str(folder), query="天气好", k=1)[0].text == "天气好"
    with SearchIndex.open(folder) as index:
        assert index.dimension == 3 and index._store.encoder.recipe.plan.strategies[0].name == "REDUCE_MAX"
    moved = tmp_path / "moved"
    (tmp_path / "i" / "manifest.json").write_text(
        (folder / "manifest.json").read_text(encoding="utf-8").replace(str(model), "/not/there"), encoding="utf-8")
    with pytest.raises(ValueError, match=r"was made with the encoder /not/there, which cannot be read: .*--init"):
        search_command.run(folder=str(folder), query="a dog")
    moved.symlink_to(model)
    assert search_command.run(folder=str(folder), query="a dog", k=1, init=str(moved))[0].text == "a dog"
    with pytest.raises(ValueError, match="with vectors of 3 numbers; those of this encoder have 12"):
        index_command.run(file=[str(texts)], output=str(folder), init=str(model))


def test_answers_to_questions(faq, capsys, terminal):
    search_command.run(folder=str(faq), query="什么时候开馆？", k=2)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].endswith("  图书馆几点开门？") and lines[1] == "        早上九点开门，晚上九点关门。" and len(lines) == 4
    assert err == ""
    hits = search_command.run(folder=str(faq), query="停车价格", k=9)
    assert hits[0].payload["answer"].startswith("每小时五元") and len(hits) == 5
    assert "9 hits requested, but there are only 5 records" in capsys.readouterr().err
    assert search_command.run(folder=str(faq), query="停车价格", min_score=0.99) == []
    assert capsys.readouterr().out == "nothing found\n"


def test_files_of_queries(faq, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(search_command, "_CHUNK", 2)
    queries = ["何时开馆", "停车费用", "办理证件", "食堂", "借书"]
    (tmp_path / "q.txt").write_text("\n\n".join(queries), encoding="utf-8")
    assert search_command.run(folder=str(faq), query=str(tmp_path / "q.txt"), k=1) == 5
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["query"] for row in found] == queries
    assert [row["hits"][0]["text"] for row in found] == [FAQ[n][1] for n in (0, 3, 1, 4, 2)]
    assert sorted(found[0]["hits"][0]) == ["id", "payload", "score", "text"]
    search_command.run(folder=str(faq), query="食堂", k=1, json=True)
    assert json.loads(capsys.readouterr().out)["hits"][0]["payload"] == FAQ[4][2]
    with open(tmp_path / "q.txt", "rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file, encoding="utf-8"))
        assert search_command.run(folder=str(faq)) == 5
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n"), encoding="utf-8"))
    with pytest.raises(ValueError, match="^-: no line of text"):
        search_command.run(folder=str(faq))
    (tmp_path / "q.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"q.txt: no line of text"):
        search_command.run(folder=str(faq), query=str(tmp_path / "q.txt"))


def test_interactive_queries(faq, capsys, monkeypatch, terminal):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    typed = iter(["停车费用", "食堂"])

    def answer(prompt):
        try:
            return next(typed)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", answer)
    assert search_command.run(folder=str(faq), k=1) == 2
    out = capsys.readouterr().out
    assert "每小时五元" in out and "地下一层" in out


def test_recall(faq, tmp_path, capsys, terminal):
    report = search_command.run(folder=str(faq), recall=True, k=3)
    assert report.recall == 1 and report.queries == 5 and "recall@3 1.0000" in capsys.readouterr().out
    search_command.run(folder=str(faq), recall=True, query="停车", k=3, json=True)
    assert json.loads(capsys.readouterr().out)["queries"] == 1
    (tmp_path / "empty.txt").write_text("\n \n")
    for query in (str(tmp_path / "empty.txt"), " "):
        with pytest.raises(ValueError, match="no line of text; a recall report needs queries, found none"):
            search_command.run(folder=str(faq), recall=True, query=query)
    with pytest.raises(ValueError, match="sample is 0, expected 1 or more"):
        search_command.run(folder=str(faq), recall=True, sample=0)


def test_an_interrupted_run_resumes(texts, tmp_path, fake, capsys, monkeypatch):
    folder, vectors = str(tmp_path / "i"), store.Store.vectors
    with monkeypatch.context() as patch:
        def third_fails(self, rows, prompt):
            if rows and rows[0] == LINES[4]:
                raise KeyboardInterrupt
            return vectors(self, rows, prompt)

        patch.setattr(store.Store, "vectors", third_fails)
        with pytest.raises(KeyboardInterrupt):
            index_command.run(file=[str(texts)], output=folder, init="fake", batch=2)
    assert "i has 4 records; run the same command again to resume" in capsys.readouterr().out
    fake.texts.clear()
    assert index_command.run(file=[str(texts)], output=folder) == 5
    assert [text for text in fake.texts if text in LINES] == LINES[4:]
    assert "1 texts read" in capsys.readouterr().out
    index_command.run(file=[str(texts)], output=folder)
    assert "nothing new: these files are in the index already" in capsys.readouterr().out
    fake.texts.clear()
    texts.write_text("\n".join(["天气不好", *LINES[1:], "新的一行"]), encoding="utf-8")
    assert index_command.run(file=[str(texts)], output=folder) == 6
    assert [text for text in fake.texts if text not in LINES][-2:] == ["天气不好", "新的一行"]


def test_long_texts_are_committed_sooner(texts, tmp_path, fake, monkeypatch):
    sizes, add_batch = [], SearchIndex.add_batch

    def noted(self, rows, *arguments):
        sizes.append(len(rows))
        return add_batch(self, rows, *arguments)

    monkeypatch.setattr(SearchIndex, "add_batch", noted)
    monkeypatch.setattr(index_command, "_CHARACTERS", 500)
    texts.write_text("\n".join(["图书馆" * 100] * 3 + ["天气"] * 7), encoding="utf-8")
    assert index_command.run(file=[str(texts)], output=str(tmp_path / "i"), init="fake", batch=5) == 10
    assert sizes == [2, 5, 3]


def test_deleting_and_rebuilding(faq, capsys):
    name = search_command.run(folder=str(faq), query="食堂", k=1)[0].id
    capsys.readouterr()
    assert index_command.run(output=str(faq), delete=[name, "nothing"], compact=True) == 4
    assert "1 of 2 records deleted" in capsys.readouterr().out
    assert index_command.run(output=str(faq), rebuild=True, kind="exact") == 4
    assert "index exact: exact was requested" in capsys.readouterr().out


def test_wrong_calls(tmp_path, faq, texts, fake):
    with pytest.raises(ValueError, match="nothing to do: give files of texts, or --delete"):
        index_command.run(output=str(faq))
    with pytest.raises(ValueError, match="is a new index: give the model that encodes its texts with --init"):
        index_command.run(file=[str(texts)], output=str(tmp_path / "new"))
    (tmp_path / "empty.txt").write_text(" \n")
    for folder in (faq, tmp_path / "new"):
        with pytest.raises(ValueError, match=r"empty.txt: no line of text"):
            index_command.run(file=[str(tmp_path / "empty.txt")], output=str(folder), init="fake")
    with pytest.raises(ValueError, match=r"texts.txt:1: no tab between a question and its answer"):
        index_command.run(file=[str(texts)], output=str(tmp_path / "new"), init="fake", format="tsv")
    assert not (tmp_path / "new").exists()  # nothing is left to conflict with another model
    assert index_command.run(file=[str(tmp_path / "empty.txt"), str(texts)], output=str(tmp_path / "one"), init="fake") == 5
    SearchIndex.create(tmp_path / "new", fake).close()
    with pytest.raises(ValueError, match=r"new has no records: add some with `tfplm index FILE"):
        search_command.run(folder=str(tmp_path / "new"), query="a")
    with pytest.raises(ValueError, match="the query is empty"):
        search_command.run(folder=str(faq), query=" ")
    with pytest.raises(ValueError, match="k is 0, expected 1 or more"):
        search_command.run(folder=str(faq), query="a", k=0)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        search_command.run(folder=str(tmp_path / "nowhere"), query="a")
    with pytest.raises(ValueError, match="batch is 0"):
        index_command.run(file=[str(texts)], output=str(faq), batch=0)


def test_the_command_line(faq, tmp_path, capsys, monkeypatch, terminal):
    monkeypatch.setitem(cli.VERBS, "index", ("tfplm.options.search:IndexOptions", "make texts searchable by meaning"))
    monkeypatch.setitem(cli.VERBS, "search", ("tfplm.options.search:SearchOptions", "find the texts nearest to a query"))
    (tmp_path / "more.jsonl").write_text('{"id": "wifi", "question": "怎样上网？", "answer": "扫码。"}\n', encoding="utf-8")
    assert cli.main(["index", str(tmp_path / "more.jsonl"), "-o", str(faq)]) == 0
    assert "1 texts read" in capsys.readouterr().out
    assert cli.main(["search", str(faq), "上网", "-k", "1"]) == 0
    assert capsys.readouterr().out.endswith("  怎样上网？\n        扫码。\n")
    assert cli.main(["search", str(tmp_path), "上网"]) == 1
    assert "tfplm search: " in capsys.readouterr().err
    for name in ("index", "search"):
        with pytest.raises(SystemExit, match="0"):
            cli.main([name, "--help"])
    assert "--recall" in capsys.readouterr().out


def test_flags_by_the_names_of_faiss(faq, tmp_path, fake, capsys, monkeypatch):
    pytest.importorskip("faiss")
    (tmp_path / "t.txt").write_text("\n".join(f"{n} 图书馆 {n * 7}" for n in range(300)), encoding="utf-8")
    folder = str(tmp_path / "i")
    words = ["index", str(tmp_path / "t.txt"), "-o", folder, "--model", "fake", "--kind", "IndexIVFPQ", "--metric", "l2",
             "--nlist", "6", "--nprobe", "1", "--m", "8", "--nbits", "4", "--training-vectors", "300"]
    assert cli.main(words) == 0 and "index ivf_pq: ivf_pq was requested" in capsys.readouterr().out
    with SearchIndex.open(folder, fake) as index:
        inner = index._store.cache.catch_up()._index
        assert (inner.nlist, inner.nprobe, inner.pq.M, inner.pq.nbits) == (6, 1, 8, 4)
        few = index.recall().recall
    report = search_command.run(folder=folder, recall=True, probes=6)
    assert few < report.recall
    capsys.readouterr()
    for kind, message in (("tree", "expected auto, exact or one of flat"), ("PQ7", "of which Faiss makes no index"),
                          ("IndexFlatIP", "metric is 'l2', but the kind compares by 'inner_product'")):
        assert cli.main([*words[:-14], "--kind", kind, "--metric", "l2", "--overwrite"]) == 1
        assert message in capsys.readouterr().err
    assert len(SearchIndex.open(folder, fake)) == 300  # a kind that cannot be made removes nothing
    assert cli.main(["index", "-o", folder, "--rebuild", "--kind", "IndexFlatIP"]) == 1
    assert "metric is 'l2'" in capsys.readouterr().err
    assert cli.main(["index", "-o", folder, "--rebuild", "--kind", "IVF5,SQ8"]) == 0
    assert "index IVF5,SQ8: IVF5,SQ8 was requested" in capsys.readouterr().out


def test_what_cannot_be_removed_is_made_again(tmp_path, fake):
    pytest.importorskip("faiss")
    settings = SearchSettings("IVFADC+R", IndexSettings("l2", lists=4, probes=4))
    with SearchIndex.create(tmp_path / "i", fake, settings) as index:
        index.add([(str(n), f"{n} 图书馆") for n in range(300)])
        assert index.kind == "ivf_pqr"
        with SearchIndex.open(tmp_path / "i", fake) as reader:
            assert "7" in [hit.id for hit in reader.search("7 图书馆", k=20)]
            index.delete(["7"])
            index.add([("new", "停车")])
            for either in (index, reader):
                assert either.verify() == [] and either.kind == "ivf_pqr" and len(either) == 300
                assert "7" not in [hit.id for hit in either.search("7 图书馆", k=20)]
