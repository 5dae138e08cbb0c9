"""Every kind of index against brute force: nearest vectors, scores, removal, files."""

import numpy as np
import pytest

from tests.embed.search.index.vector_cases import clouds
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.faiss import FaissIndex
from tfplm.embed.search.index.faiss_kinds import KINDS
from tfplm.embed.search.index.kinds import load_index, make_index
from tfplm.embed.search.index.recall import recall_of, recall_report
from tfplm.embed.search.index.vector_index import IndexSettings, scores_of, unit_rows

ALL = ("exact", *KINDS)
CHANGED = [kind for kind in ALL if kind != "ivf_pqr"]  # from which nothing can be removed
VECTORS, QUERIES = clouds(3000), clouds(40, seed=1)
IDS = np.arange(3000) * 7 + 5_000_000_000  # too large for 32 bits
LEAST = {"exact": 1, "flat": 1, "sq": 0.95, "hnsw": 0.98, "ivf": 0.9, "ivf_pq": 0.5, "lsh": 0.35, "pq": 0.3, "ivf_sq": 0.85,
         "ivf_pqr": 0.7}


@pytest.fixture(autouse=True)
def faiss():
    return pytest.importorskip("faiss")


def filled(kind: str, metric: str = "cosine", **settings):
    index = make_index(kind, 16, IndexSettings(metric, **settings))
    index.train(VECTORS, len(VECTORS))
    for start in range(0, 3000, 700):
        index.add(IDS[start:start + 700], VECTORS[start:start + 700])
    return index


def brute(metric: str, k: int, rows=slice(None)):
    scores = scores_of(QUERIES, VECTORS[rows], metric)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, order, 1), IDS[rows][order]


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
@pytest.mark.parametrize("kind", ALL)
def test_nearest(kind, metric):
    if (kind, metric) == ("ivf_pqr", "inner_product"):
        pytest.skip("Faiss has none")
    index = filled(kind, metric)
    scores, ids = index.search(QUERIES, 10)
    assert scores.dtype == np.float32 and ids.dtype == np.int64 and scores.shape == ids.shape == (40, 10)
    assert (np.diff(scores, axis=1) <= 1e-4).all()
    expected_scores, expected = brute(metric, 10)
    coarse = metric == "inner_product" and kind in ("lsh", "pq", "ivf_pq", "ivf", "ivf_sq")
    least = 0.6 * LEAST[kind] if coarse else LEAST[kind]
    least = 0.05 if (kind, metric) == ("lsh", "inner_product") else least  # it ignores lengths
    assert recall_of(ids, expected).mean() >= least
    if index.exact_scores:
        same = ids == expected
        np.testing.assert_allclose(scores[same], expected_scores[same], rtol=1e-3, atol=1e-3)
    assert len(index) == 3000 and sorted(index.ids()) == IDS.tolist() and index.memory > 3000 * 8


@pytest.mark.parametrize("kind", CHANGED)
def test_removal(kind):
    index = filled(kind)
    _, before = index.search(QUERIES, 5)
    removed = np.unique(before[:, :2])
    assert index.remove([*removed, 1, 2]) == len(removed)
    assert index.remove(removed) == 0
    assert len(index) == 3000 - len(removed) and not np.isin(removed, index.ids()).any()
    _, after = index.search(QUERIES, 5)
    assert not np.isin(after, removed).any() and (after >= 0).all()
    index.add(removed, VECTORS[(removed - 5_000_000_000) // 7])
    assert len(index) == 3000
    _, again = index.search(QUERIES, 5)
    assert recall_of(again, before).mean() > 0.9


@pytest.mark.parametrize("kind", CHANGED)
def test_most_are_removed(kind):
    index = filled(kind)
    assert index.remove(IDS[:2900]) == 2900
    _, ids = index.search(QUERIES, 200)
    assert ids.shape == (40, 100)
    found = ids[ids >= 0]
    assert np.isin(found, IDS[2900:]).all()
    if kind == "hnsw":
        assert index._index.ntotal == 100  # the graph has been rebuilt
    if not kind.startswith("ivf"):
        assert recall_of(ids, brute("cosine", 100, slice(2900, None))[1]).mean() > 0.95


@pytest.mark.parametrize("kind", CHANGED)
def test_files(kind, tmp_path):
    index = filled(kind, lists=30)
    index.remove(IDS[:10])
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    assert type(loaded) is type(index) and loaded.settings == index.settings and loaded.kind == kind
    for one, other in zip(index.search(QUERIES, 10), loaded.search(QUERIES, 10)):
        np.testing.assert_array_equal(one, other)
    loaded.add([3], VECTORS[:1])
    assert (3 in loaded.ids() and loaded.search(VECTORS[:1], 1)[1][0, 0] == 3) or not loaded.exact_scores
    assert loaded.remove([3]) == 1 and sorted(loaded.ids()) == sorted(index.ids())


@pytest.mark.parametrize("kind", ALL)
def test_empty(kind, tmp_path):
    index = make_index(kind, 16)
    scores, ids = index.search(QUERIES, 3)
    assert scores.shape == ids.shape == (40, 0) and len(index) == len(index.ids()) == 0 and index.remove([1]) == 0
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    assert len(loaded) == 0
    loaded.add(IDS, VECTORS)  # trained on the first vectors
    assert len(loaded) == 3000 and loaded.trained
    assert loaded.search(VECTORS[:20], 1)[1][:, 0].tolist() == IDS[:20].tolist() or not loaded.exact_scores


@pytest.mark.parametrize(("kind", "settings", "pieces"), [
    ("ivf", {"probes": 1}, {"probes": 40}), ("hnsw", {"search_effort": 1, "links": 4}, {"search_effort": 200}),
    ("ivf_pq", {"code_bytes": 2}, {"code_bytes": 16}), ("lsh", {"hash_bits": 16}, {"hash_bits": 1024})])
def test_larger_settings_increase_recall(kind, settings, pieces):
    low, high = filled(kind, **settings), filled(kind, **pieces)
    exact = filled("exact")
    few, many = (recall_report(index, exact, QUERIES, 10) for index in (low, high))
    assert few.recall < many.recall - 0.02
    assert many.worst <= many.recall <= 1 and many.milliseconds > 0 and many.exact_milliseconds > 0


def test_code_bytes_need_not_divide_the_dimension():
    index = FaissIndex("ivf_pq", 13, IndexSettings(probes=99))
    vectors = clouds(1000, 13)
    index.add(np.arange(1000), vectors)
    exact = ExactIndex(13)
    exact.add(np.arange(1000), vectors)
    assert recall_report(index, exact, clouds(20, 13, seed=1)).recall > 0.4


def test_equal_scores_are_ordered_by_id():
    index = ExactIndex(2)
    index.add([9, 4, 6, 5], np.ones((4, 2)))
    assert index.search(np.ones((1, 2)), 4)[1].tolist() == [[4, 5, 6, 9]]


def test_zeros_have_a_score():
    assert unit_rows(np.zeros((1, 3))).tolist() == [[0, 0, 0]]
    index = ExactIndex(3)
    index.add([1], np.zeros((1, 3)))
    assert index.search(np.ones((1, 3)), 1)[0].tolist() == [[0]]


def test_reports():
    index, exact = filled("flat"), filled("exact")
    report = recall_report(index, exact, QUERIES, 10)
    assert report.recall == report.worst == 1
    assert str(report).startswith("flat: recall@10 1.0000 (worst query 1.00), ")
    with pytest.raises(ValueError, match="needs queries, found none"):
        recall_report(index, exact, QUERIES[:0])
    exact.remove(IDS[:1])
    with pytest.raises(ValueError, match="the index has 3000 vectors and the exact one 2999"):
        recall_report(index, exact, QUERIES)


@pytest.mark.parametrize("kind", ALL)
def test_errors(kind, tmp_path):
    index = make_index(kind, 16)
    with pytest.raises(ValueError, match=r"for vectors \[N,16\], found an array of shape \(2, 15\)"):
        index.add([1, 2], np.zeros((2, 15)))
    with pytest.raises(ValueError, match=r"2 vectors need ids of shape \[2\], found \(3,\)"):
        index.add([1, 2, 3], np.zeros((2, 16)))
    with pytest.raises(ValueError, match="k is 0, expected 1 or more"):
        index.search(QUERIES, 0)
    with pytest.raises(ValueError, match="has no readable vectors"):
        load_index(tmp_path)
    filled(kind).save(tmp_path)
    path = tmp_path / ("vectors.npy" if kind == "exact" else "vectors.faiss")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match="has no readable vectors"):
        load_index(tmp_path)


def test_wrong_settings():
    with pytest.raises(ValueError, match="metric is 'dot', expected 'cosine'"):
        IndexSettings("dot")
    with pytest.raises(ValueError, match="probes is 0, expected 1 or more"):
        IndexSettings(probes=0)
    with pytest.raises(ValueError, match="kind is 'tree', expected one of flat, ivf"):
        FaissIndex("tree", 3)
    with pytest.raises(ValueError, match="at least 256 training vectors, found 100: use kind 'flat'"):
        FaissIndex("ivf_pq", 16).add(np.arange(100), VECTORS[:100])
    with pytest.raises(ValueError, match="dimension is 0"):
        ExactIndex(0)
