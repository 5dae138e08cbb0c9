"""Names of Faiss' indexes, strings of its factory, and what none can be made of."""

import numpy as np
import pytest

from tests.embed.search.index.vector_cases import clouds
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.faiss import FaissIndex
from tfplm.embed.search.index.faiss_kinds import NAMES, factory_string, fewest_vectors, is_factory, resolve
from tfplm.embed.search.index.kinds import choose_kind, load_index, make_index
from tfplm.embed.search.index.recall import recall_report
from tfplm.embed.search.index.vector_index import IndexSettings, unit_rows

VECTORS, QUERIES = clouds(1000), clouds(40, seed=1)
STRINGS = ["PCAR8,IVF16,PQ4np", "PCA8,Flat", "IVF16_HNSW8,Flat", "HNSW8,SQ8", "IVF16,PQ4x4fs,RFlat",
           "PQ4np,RFlat", "RR8,SQ8", "IDMap2,Flat", "L2norm,Flat", "IVF16,PQ4+4"]


@pytest.fixture(autouse=True)
def faiss():
    """With one thread: graphs that several build differ from run to run, also in plain Faiss."""
    module = pytest.importorskip("faiss")
    before = module.omp_get_max_threads()
    module.omp_set_num_threads(1)
    yield module
    module.omp_set_num_threads(before)


def plain(faiss, string: str, metric: str, rows: np.ndarray):
    """An index of plain Faiss with these vectors."""
    by_angle = metric == "cosine" and "+" not in string  # IVFADC+R knows distances alone
    index = faiss.index_factory(16, string, faiss.METRIC_INNER_PRODUCT if by_angle else faiss.METRIC_L2)
    if (cells := faiss.try_extract_index_ivf(index)) is not None:
        cells.nprobe = 16
    index.train(rows)
    index.add_with_ids(rows, np.arange(len(rows))) if string.startswith("IDMap") else index.add(rows)
    return index


@pytest.mark.parametrize("string", STRINGS)
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_any_string_of_the_factory_is_a_kind(string, metric, tmp_path, faiss):
    index, first = make_index(string, 16, IndexSettings(metric, probes=16, build_effort=40, search_effort=16)), 7_000_000_000
    assert index.kind == string and len(index) == 0 and index.search(QUERIES, 3)[1].shape == (40, 0)
    index.add(np.arange(1000) + first, VECTORS)
    assert len(index) == 1000 and sorted(index.ids()) == list(range(first, first + 1000)) and index.memory > 0
    rows, queries = (unit_rows(VECTORS), unit_rows(QUERIES)) if metric == "cosine" else (VECTORS, QUERIES)
    scores, ids = index.search(QUERIES, 10)
    expected, found = plain(faiss, string, metric, rows).search(queries, 10)
    assert (ids - first == found).mean() > 0.99  # but for ties
    far = {"l2": -expected, "cosine": 1 - expected / 2 if "+" in string else expected}[metric]
    np.testing.assert_allclose(scores, far, atol=5e-3)  # a byte of SQ8 may round either way
    assert (np.diff(scores, axis=1) <= 1e-4).all() and (metric == "l2" or 0.5 < scores[:, 0].mean() < 1.1)
    index.save(tmp_path)
    again = load_index(tmp_path)
    np.testing.assert_array_equal(again.search(QUERIES, 10)[1], ids)
    removed = np.unique(ids[:, 0])
    if again.removes:
        assert again.remove(removed) == len(removed) and not np.isin(removed, again.search(QUERIES, 10)[1]).any()
        assert sorted(again.ids()) == sorted(np.setdiff1d(index.ids(), removed))
    else:
        with pytest.raises(ValueError, match=r"cannot remove vectors, and \d+ were to be removed: make it again"):
            again.remove(removed)
        assert len(again) == 1000


@pytest.mark.parametrize(("kind", "settings", "string"), [
    ("ivf", {"lists": 100}, "IVF100,Flat"), ("ivf_pq", {"lists": 100, "code_bytes": 8}, "IVF100,PQ8x8np"),
    ("ivf_pqr", {"lists": 9, "code_bytes": 4, "refine_bytes": 16}, "IVF9,PQ4+16"), ("sq", {}, "SQ8"),
    ("pq", {"code_bytes": 4, "code_bits": 4}, "PQ4x4np"), ("hnsw", {"links": 8}, "HNSW8"), ("lsh", {}, "LSH64rt"),
    ("ivf_sq", {"lists": 7}, "IVF7,SQ8"), ("flat", {}, "Flat"), ("PCA8,Flat", {}, "PCA8,Flat")])
def test_kinds_as_strings(kind, settings, string):
    settings = IndexSettings(**settings)
    assert factory_string(kind, 16, settings, settings.lists or 0) == string


def test_names_of_classes():
    settings = IndexSettings()
    assert resolve("IndexFlatL2", settings) == ("flat", IndexSettings("l2"))
    assert resolve("IndexFlatIP", settings) == ("flat", IndexSettings("inner_product"))
    assert resolve("IndexIVFPQ", settings) == ("ivf_pq", settings) and resolve("auto", settings)[0] == "auto"
    with pytest.raises(ValueError, match="metric is 'l2', but the kind compares by 'inner_product': leave the metric out"):
        resolve("IndexFlatIP", IndexSettings("l2"))
    assert not any(is_factory(name) for name in NAMES) and is_factory("IVF100,PQ8")
    assert not is_factory("IVF9999999999,Flat")  # more cells than memory


@pytest.mark.parametrize("kind", ["pq", "ivf_pq", "ivf_pqr"])
def test_parts_need_not_divide_the_dimension(kind):
    vectors = clouds(1000, 13)
    index = FaissIndex(kind, 13, IndexSettings(probes=99, code_bytes=4, refine_bytes=6))
    index.add(np.arange(1000), vectors)
    exact = ExactIndex(13)
    exact.add(np.arange(1000), vectors)
    assert recall_report(index, exact, clouds(20, 13, seed=1)).recall > 0.4


def test_what_cannot_be_made_is_told():
    with pytest.raises(ValueError, match=r"kind is 'PQ5', of which Faiss makes no index for vectors of 16 numbers \(.*\): "
                                         "choose another string .*, which pads them"):
        make_index("PQ5", 16)
    with pytest.raises(ValueError, match="kind is 'Tree5', of which Faiss makes no index"):
        make_index("Tree5", 16)
    with pytest.raises(ValueError, match="there are 50 training vectors for 100 cells, expected at least one for each"):
        FaissIndex("ivf", 16, IndexSettings(lists=100)).add(np.arange(50), VECTORS[:50])
    with pytest.raises(ValueError, match=r"IVF100,Flat cannot be trained on 50 vectors \(.*\): give it more vectors"):
        FaissIndex("IVF100,Flat", 16).add(np.arange(50), VECTORS[:50])
    with pytest.raises(ValueError, match="metric is inner_product, but Faiss compares what IVF1,PQ4\\+4 keeps by"):
        FaissIndex("ivf_pqr", 16, IndexSettings("inner_product"))
    with pytest.raises(ValueError, match="code_bits is 0, expected 1 to 16"):
        IndexSettings(code_bits=0)
    with pytest.raises(ValueError, match="probes is 0, expected 1 or more"):
        make_index("flat", 16).tune(probes=0)


def test_too_few_vectors_are_compared_one_by_one():
    assert fewest_vectors("ivf", IndexSettings()) == 2000 and fewest_vectors("ivf", IndexSettings(lists=30)) == 30
    assert fewest_vectors("ivf_pq", IndexSettings(lists=30)) == 256 and fewest_vectors("pq", IndexSettings()) == 256
    assert fewest_vectors("OPQ8,IVF300,PQ8x10np", IndexSettings()) == 1024 and fewest_vectors("SQ8", IndexSettings()) == 0
    choice = choose_kind("IVF300,PQ8", 299, 16)
    assert choice.kind == "flat" and choice.reason == "299 vectors are too few to train IVF300,PQ8, which needs 300"
    assert choose_kind("IVF300,PQ8", 300, 16).kind == "IVF300,PQ8" and choose_kind("IndexPQ", 256, 16).kind == "pq"


def test_probes_of_one_search():
    index = make_index("IndexIVFFlat", 16, IndexSettings(lists=40, probes=1))
    index.add(np.arange(1000), VECTORS)
    exact = ExactIndex(16)
    exact.add(np.arange(1000), VECTORS)
    few = recall_report(index, exact, QUERIES).recall
    index.tune(probes=40)
    assert few < 0.99 and recall_report(index, exact, QUERIES).recall == 1 and index.settings.probes == 1


def test_all_vectors_can_be_trained_on(faiss):
    """As plain Faiss is, from the vectors that it is given."""
    cells = faiss.IndexFlatL2(16)
    plain = faiss.IndexIVFFlat(cells, 16, 10)
    plain.train(VECTORS)
    plain.add(VECTORS)
    index = make_index("ivf", 16, IndexSettings("l2", lists=10, probes=1, training_vectors=1000))
    assert index.sample_size(1000) == 1000
    index.add(np.arange(1000), VECTORS)
    np.testing.assert_array_equal(index.search(QUERIES, 4)[1], plain.search(QUERIES, 4)[1])
