"""The recall of indexes against exact ones, and of a `SearchIndex`; ties have no order."""

import numpy as np
import pytest

from tests.embed.search.fake_encoder import FAQ, FakeEncoder
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.recall import recall_of, recall_report
from tfplm.embed.search.index.vector_index import IndexSettings
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex


@pytest.mark.parametrize("metric", ["cosine", "inner_product", "l2"])
def test_ties_are_hits(metric):
    settings, rng = IndexSettings(metric), np.random.default_rng(0)
    vectors = np.repeat(5 * rng.standard_normal((20, 16)), 30, 0)  # each 30 times
    index, exact, queries = ExactIndex(16, settings), ExactIndex(16, settings), 5 * rng.standard_normal((8, 16))
    ids = np.arange(600).reshape(20, 30)
    exact.add(ids.ravel(), vectors)
    index.add(ids[:, ::-1].ravel(), vectors)  # the same vectors, ties in another order
    assert recall_of(index.search(queries, 10)[1], exact.search(queries, 10)[1]).mean() < 0.5
    report = recall_report(index, exact, queries, 10)
    assert report.recall == report.worst == 1
    removed = ids[np.unique(exact.search(queries, 1)[1] // 30)].ravel()
    index.remove(removed)
    index.add(removed + 600, np.zeros((len(removed), 16)))
    assert recall_report(index, exact, queries, 10).recall == 0  # ids that are further away do not count


def test_shares():
    found, expected = np.array([[3, 1, 9], [4, 5, -1], [7, 7, 7]]), np.array([[1, 2, 3], [4, 6, 5], [-1, -1, -1]])
    assert recall_of(found, expected).tolist() == pytest.approx([2 / 3, 2 / 3, 1])
    assert recall_of(found, expected, found >= 0).tolist() == pytest.approx([1, 2 / 3, 1])
    assert recall_of(found, expected[:, :2], found >= 3).tolist() == [1, 1, 1]  # not more than all of them


@pytest.mark.parametrize("kind", ["exact", "flat", "sq", "hnsw"])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_an_index(kind, metric, tmp_path):
    pytest.importorskip("faiss")
    settings = SearchSettings(kind, IndexSettings(metric))
    with SearchIndex.create(tmp_path / "i", FakeEncoder(), settings) as index:
        index.add(FAQ)
        report = index.recall(["停车费用", "办理证件"], k=3)
        assert report.recall == 1 and report.queries == 2 and report.vectors == 5
        index.add([text for _, text, _ in FAQ for _ in range(30)])
        assert index.recall(["停车费用", "办理证件"], k=7).recall == 1  # out of 31 equally near ones
        assert index.recall(k=7).recall == 1
        with pytest.raises(ValueError, match="a recall report needs queries, found none"):
            index.recall([])
        index.delete([record.id for record in index.records()])
        with pytest.raises(ValueError, match="has no records to measure the recall with"):
            index.recall()
        assert index.search("停车", k=2) == []
