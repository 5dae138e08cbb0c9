"""`SearchIndex`: adding, searching, changing and deleting; folders, encoders and errors."""

import concurrent.futures
import json
import shutil
import sys

import numpy as np
import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex


@pytest.fixture
def encoder():
    return FakeEncoder()


@pytest.fixture
def faq(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "faq", encoder) as index:
        index.add(FAQ)
        yield index


def ids(hits):
    return [hit.id for hit in hits]


def test_questions_find_their_answers(faq):
    hits = faq.search("何时开馆", k=2)
    assert hits[0].id == "hours" and hits[0].payload == {"answer": "早上九点开门，晚上九点关门。"}
    assert hits[0].text == "图书馆几点开门？" and hits[0].score > hits[1].score
    several = faq.search(["停车费用", "办理证件", "食堂"], k=1)
    assert [ids(row) for row in several] == [["park"], ["card"], ["food"]]
    assert faq.search("停车费用", k=5, min_score=0.5) == several[0]
    assert faq.search([], k=3) == [] and faq.kind == "flat" and "exact" in faq.reason


def test_scores_are_cosines(faq, encoder):
    query, text = encoder.encode(["何时开馆", FAQ[0][1]])
    cosine = query @ text / np.linalg.norm(query) / np.linalg.norm(text)
    assert faq.search("何时开馆", k=1)[0].score == pytest.approx(cosine, abs=1e-5)


def test_more_than_there_are(faq):
    assert len(faq.search("书", k=100)) == len(faq) == 5
    with pytest.raises(ValueError, match="k is 0"):
        faq.search("书", k=0)


def test_add_delete_update(faq, encoder):
    assert faq.add(["天气好吗？", ("late", "逾期怎么办？")]) == ["#6", "late"]
    assert faq.search("天气", k=1)[0] .id == "#6" and "late" in faq and len(faq) == 7
    assert faq.delete(["#6", "late", "nothing"]) == 2 and "late" not in faq
    assert not {"#6", "late"} & set(ids(faq.search("天气", k=9)))
    encoder.texts.clear()
    assert faq.update([("food", "天气怎么样？", None), ("park", None, {"answer": "免费。"})]) == ["food", "park"]
    assert encoder.texts == ["天气怎么样？"]  # unchanged texts are not encoded again
    assert faq.search("天气", k=1)[0].payload == {"answer": "地下一层。"}
    assert faq.search("停车费用", k=1)[0].payload == {"answer": "免费。"} and len(faq) == 5
    assert "food" not in ids(faq.search("食堂", k=1)) or faq.search("食堂", k=1)[0].text == "天气怎么样？"
    assert faq.verify() == []


def test_existing_ids(faq, encoder):
    with pytest.raises(ValueError, match="the id 'card' is in the index already"):
        faq.add([("new", "新的"), ("card", "别的")])
    with pytest.raises(ValueError, match="the id 'new' is in the index already, or twice"):
        faq.add([("new", "新的"), ("new", "别的")])
    assert "new" not in faq  # nothing of the batch
    assert faq.add([("card", "别的"), ("new", "新的")], existing="skip") == ["card", "new"]
    assert faq.get("card").text == FAQ[1][1] and faq.get("new").text == "新的"
    encoder.texts.clear()
    faq.add([("card", "甲"), ("card", "乙", {"n": 1}), *FAQ[2:]], existing="replace")
    assert faq.get("card").text == "乙" and encoder.texts == ["乙"]
    with pytest.raises(KeyError, match="1 ids are not in the index: nobody"):
        faq.update([("card", "丙", {}), ("nobody", "丙", {})])
    with pytest.raises(ValueError, match="existing is 'ignore', expected 'error'"):
        faq.add(["a"], existing="ignore")
    assert len(faq) == 6 and faq.verify() == []


def test_ids_like_automatic_ones(faq):
    faq.add([("#7", "七")])
    assert faq.add(["八", "九"]) == ["#8", "#9"]  # slots 7 and 8, but for the name
    faq.add([("#10", "十"), ("#12", "十二")])
    assert faq.add(["甲", "乙"]) == ["#13", "#14"] and faq.get("#12").text == "十二" and faq.verify() == []


def test_batches_and_records(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "i", encoder) as index:
        given = index.add((f"第{n}句" for n in range(23)), batch_size=5)
        assert given == [f"#{n}" for n in range(1, 24)]
        assert [record.text for record in index.records()] == [f"第{n}句" for n in range(23)]
        np.testing.assert_allclose(index.get("#3").vector, encoder.encode(["第2句"])[0], rtol=1e-6)


def test_opened_again(faq, tmp_path, encoder):
    faq.close()
    with SearchIndex.open(tmp_path / "faq", encoder) as index:
        assert ids(index.search("停车", k=1)) == ["park"] and len(index) == 5
        with pytest.raises(PermissionError, match="is open for reading"):
            index.add(["新"])
        with pytest.raises(PermissionError, match="is open for reading"):
            index.delete(["park"])
    with SearchIndex.open(tmp_path / "faq", encoder, writable=True) as index:
        index.add(["新"])
        assert index.verify() == []


def test_one_writer_many_readers(faq, tmp_path, encoder):
    readers = [SearchIndex.open(tmp_path / "faq", encoder) for _ in range(2)]
    assert all(ids(reader.search("天气", k=5)) for reader in readers)
    with pytest.raises(BlockingIOError, match="another process is writing to this index; wait"):
        SearchIndex.open(tmp_path / "faq", encoder, writable=True)
    faq.add([("weather", "天气好吗？")])
    faq.delete(["park"])
    for reader in readers:  # they get the changes
        assert ids(reader.search("天气", k=1)) == ["weather"] and "park" not in ids(reader.search("停车", k=9))
    faq.compact()
    for reader in readers:
        assert reader.verify() == [] and len(reader.search("天气", k=9)) == 5
        reader.close()
    faq.close()
    SearchIndex.open(tmp_path / "faq", encoder, writable=True).close()


@pytest.mark.parametrize("kind", ["exact", "flat", "sq", "lsh", "hnsw", "ivf", "ivf_pq", "pq", "ivf_sq", "ivf_pqr",
                                  "PCA16,PQ8np,RFlat"])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_every_kind_is_kept_up_to_date(kind, metric, tmp_path, encoder, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("tfplm.embed.search.index.faiss_kinds.TRAINABLE", 300)
    settings = SearchSettings(kind=kind, index=IndexSettings(metric, probes=8))
    learned = kind.startswith("ivf") or "pq" in kind.lower()
    texts = [(str(n), f"{n} 图书馆 {n * 7}") for n in range(450)]
    with SearchIndex.create(tmp_path / "i", encoder, settings) as index:
        index.add(texts[:100])
        assert index.kind == ("flat" if learned else kind)
        index.add(texts[100:])
        index.delete([str(n) for n in range(0, 450, 3)])
        assert index.verify() == [] and index.kind == (kind if not learned else index.kind)
        index.rebuild()
        assert index.kind == kind and index.verify() == []
        assert index.recall(k=5, sample=50).recall > 0.8
        best = index.search([text for _, text in texts[1:40:3]], k=3)
        assert np.mean([row[0].id == str(n) for n, row in zip(range(1, 40, 3), best)]) > 0.9
        expected = 0 if metric == "l2" else 1
        assert best[0][0].score == pytest.approx(expected, abs=1e-4)  # exact with every kind
    with SearchIndex.open(tmp_path / "i", encoder) as index:
        assert index.kind == kind and index.verify() == []


def test_kinds_grow_with_the_index(tmp_path, encoder, monkeypatch):
    pytest.importorskip("faiss")
    monkeypatch.setattr("tfplm.embed.search.index.kinds.FEW", 50)
    with SearchIndex.create(tmp_path / "i", encoder) as index:
        index.add(str(n) for n in range(40))
        assert index.kind == "flat"
        index.add(str(n) for n in range(40, 45))
        assert "all 45 vectors" in index.reason
        index.add(str(n) for n in range(45, 55))
        assert index.kind == "flat"  # not yet worth it
        index.add(str(n) for n in range(55, 80))
        assert index.kind == "hnsw" and "a graph over 80 vectors" in index.reason
        assert index.rebuild("exact") == "exact"
    with SearchIndex.open(tmp_path / "i", encoder, writable=True) as index:
        assert index.kind == "exact" and index.settings.kind == "exact"


def test_several_threads(faq):
    def work(thread):
        if thread == 0:
            return faq.add(map(str, range(40)), batch_size=4)
        return [faq.search("停车费用", k=1)[0].id for _ in range(10)]

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        results = list(pool.map(work, range(4)))
    assert results[1:] == [["park"] * 10] * 3 and len(faq) == 45 and faq.verify() == []


def test_without_faiss(faq, tmp_path, encoder, monkeypatch, caplog):
    pytest.importorskip("faiss")
    faq.search("停车")
    faq.close()
    monkeypatch.setattr("tfplm.embed.search.index.kinds.has_faiss", lambda: False)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with SearchIndex.open(tmp_path / "faq", encoder) as index:
        assert index.search("停车费用", k=1)[0].id == "park" and index.kind == "exact"
        assert "cannot be used (this kind of index needs Faiss" in caplog.text
    with pytest.raises(ImportError, match=r"pip install -e '.\[search\]'"):
        SearchIndex.create(tmp_path / "f", encoder, SearchSettings(kind="flat"))


def test_files_of_vectors_are_only_a_cache(faq, tmp_path, encoder, caplog):
    folder = tmp_path / "faq"
    faq.close()
    for damage in ("gone", "cut", "old", "strange"):
        (vectors,) = folder.glob("vectors-*")
        state = json.loads((vectors / "state.json").read_text())
        if damage == "gone":
            shutil.rmtree(vectors)
        elif damage == "cut":
            file = vectors / ("vectors.faiss" if (vectors / "vectors.faiss").exists() else "vectors.npy")
            file.write_bytes(file.read_bytes()[:-7])
        elif damage == "old":
            (vectors / "state.json").write_text(json.dumps({**state, "count": 3}))
        else:
            (vectors / "state.json").write_text(json.dumps({**state, "store": "another"}))
        with SearchIndex.open(folder, encoder, writable=True) as index:
            assert index.verify() == [] and ids(index.search("停车", k=1)) == ["park"]
        assert ("cannot be used" in caplog.text) == (damage in ("cut", "old"))
        caplog.clear()


def test_prompts(tmp_path, encoder):
    with SearchIndex.create(tmp_path / "i", encoder, SearchSettings(prompt="文：", query_prompt="问：")) as index:
        encoder.texts.clear()
        index.add(["图书馆"])
        index.search("食堂")
    assert encoder.texts == ["文：图书馆", "问：食堂"]


def test_other_encoders(faq, tmp_path):
    faq.close()
    with pytest.raises(ValueError, match="was made with an encoder without a source, with vectors of 48 numbers; those "
                                         "of this encoder have 32: use the same encoder"):
        SearchIndex.open(tmp_path / "faq", FakeEncoder(32))
    with pytest.raises(ValueError, match=r"the vectors of this encoder differ \(\d+% apart\): use the same model"):
        SearchIndex.open(tmp_path / "faq", FakeEncoder(seed=1))
    with SearchIndex.open(tmp_path / "faq") as index:
        assert len(index) == 5 and index.get("food").text == "食堂在哪里？"  # needs no encoder
        with pytest.raises(ValueError, match="was not loaded from a folder: pass it as `encoder`"):
            index.search("食堂")


def test_other_folders(tmp_path, encoder, faq):
    with pytest.raises(FileExistsError, match="is already a search index"):
        SearchIndex.create(tmp_path / "faq", encoder)
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; make an index with `tfplm index"):
        SearchIndex.open(tmp_path / "nowhere")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(FileNotFoundError, match=r"is not a search index: it has no manifest.json; found faq, note.txt"):
        SearchIndex.open(tmp_path)
    with pytest.raises(NotADirectoryError, match=r"note.txt is a file; expected the folder"):
        SearchIndex.open(tmp_path / "note.txt")
    with pytest.raises(NotADirectoryError, match=r"note.txt is a file; expected a folder for the search index"):
        SearchIndex.create(tmp_path / "note.txt", encoder)
    faq.close()
    (tmp_path / "faq" / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest.json cannot be read"):
        SearchIndex.open(tmp_path / "faq")


def test_missing_records(tmp_path, encoder, faq):
    faq.close()
    with SearchIndex.create(tmp_path / "other", encoder):
        pass
    (tmp_path / "other" / "records.sqlite").replace(tmp_path / "faq" / "records.sqlite")
    with pytest.raises(ValueError, match="does not have the records of"):
        SearchIndex.open(tmp_path / "faq", encoder)
    with pytest.raises(FileNotFoundError, match=r"has no records.sqlite: its records are missing"):
        SearchIndex.open(tmp_path / "other", encoder)


@pytest.mark.parametrize(("rows", "error", "message"), [
    ("a text", TypeError, "expected a list of texts or of"), ([3], TypeError, "row 0: expected a text, "),
    ([("a",)], TypeError, "row 0: expected a text"), ([(1, "a")], TypeError, "row 0: the id is 1, expected a str"),
    (["a", ("b", None)], TypeError, "row 1: the text is None, expected a str"),
    ([("a", "b", "c")], TypeError, "row 0: the payload is 'c', expected a dict"),
    ([("", "a")], ValueError, "row 0: the id is empty"), (["\ud800"], ValueError, "row 0 cannot be stored"),
    ([("a", "b", {"c": object()})], ValueError, "row 0 cannot be stored")])
def test_wrong_rows(rows, error, message, faq):
    with pytest.raises(error, match=message):
        faq.add(rows)
    assert len(faq) == 5 and faq.verify() == []


def test_wrong_vectors(tmp_path, encoder, faq, monkeypatch):
    monkeypatch.setattr(encoder, "encode", lambda texts: np.full((len(texts), 48), np.nan))
    with pytest.raises(ValueError, match="the vector of '新' has numbers that are not finite"):
        faq.add(["新"])
    monkeypatch.setattr(encoder, "encode", lambda texts: np.zeros((len(texts), 4, 48)))
    with pytest.raises(ValueError, match=r"expected \[3,H\]: use a pooling other than NONE, which cannot be searched"):
        SearchIndex.create(tmp_path / "i", encoder)
    with pytest.raises(TypeError, match="expected texts, found 3"):
        faq.search([3])
    with pytest.raises(TypeError, match="expected a list of ids"):
        faq.delete("food")
    assert len(faq) == 5
