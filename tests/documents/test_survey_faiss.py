"""Faiss as the survey prints it (lines 1774-1896): its two programs, and all ten types of its list.

The programs are taken out of the document and run with plain Faiss; ours give the same ids and distances, bit for bit.
"""

import re

import numpy as np
import pytest

from tfplm.embed.search.index.faiss_kinds import fewest_vectors
from tfplm.embed.search.index.kinds import load_index, make_index
from tfplm.embed.search.index.vector_index import IndexSettings

faiss = pytest.importorskip("faiss", reason="pip install -e '.[search]'")

PROGRAMS = {"IndexIVFFlat": (1801, 1841), "IndexIVFPQ": (1845, 1884)}
SMALL = {"nb": 1_000, "nq": 100}
D, M, LISTS, PROBES, BITS = 16, 4, 16, 4, 64
FLAT = "IndexFlatL2(D)"
# what the list calls a type: (kind, plain Faiss by its class, string of index_factory, metric)
TYPES = {
    "Exact Search for L2": ("IndexFlatL2", "IndexFlatL2(D)", "Flat", "l2"),
    "Exact Search for Inner Product": ("IndexFlatIP", "IndexFlatIP(D)", "Flat", "inner_product"),
    "Hierarchical Navigable Small World graph exploration":
        ("IndexHNSWFlat", "IndexHNSWFlat(D, 16)", "HNSW16", "l2"),
    "Inverted file with exact post-verification":
        ("IndexIVFFlat", "IndexIVFFlat(cells, D, LISTS)", f"IVF{LISTS},Flat", "l2"),
    "Locality-Sensitive Hashing": ("IndexLSH", "IndexLSH(D, BITS, True, True)", f"LSH{BITS}rt", "l2"),
    "Scalar quantizer": ("IndexScalarQuantizer", "IndexScalarQuantizer(D, ScalarQuantizer.QT_8bit)", "SQ8", "l2"),
    "Product quantizer": ("IndexPQ", "IndexPQ(D, M, 8)", f"PQ{M}np", "l2"),
    "IVF and scalar quantizer":
        ("IndexIVFScalarQuantizer", "IndexIVFScalarQuantizer(cells, D, LISTS, ScalarQuantizer.QT_8bit)",
         f"IVF{LISTS},SQ8", "l2"),
    "IVFADC": ("IndexIVFPQ", "IndexIVFPQ(cells, D, LISTS, M, 8)", f"IVF{LISTS},PQ{M}np", "l2"),
    "IVFADC+R": ("IndexIVFPQR", "IndexIVFPQR(cells, D, LISTS, M, 8, M, 8)", f"IVF{LISTS},PQ{M}+{M}", "l2"),
}


@pytest.fixture(autouse=True)
def one_thread():
    """Graphs that several threads build differ from run to run, also in plain Faiss."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


def listed(document) -> list[str]:
    """The ten names of the document's list, without what follows in brackets."""
    names = [re.sub(r"[#（].*", "", line).strip(" -") for line in document("survey").lines(1887, 1896)]
    return [re.sub(r" \(.*| in flat mode", "", name) for name in names]


# ---- the programs, 1801-1884


def run(code: str, **values):
    """Runs a program with other sizes, and notes what its searches found: (namespace, [(D, I, nprobe), ...])."""
    for name, value in values.items():
        code, count = re.subn(rf"^{name} = \d+", f"{name} = {value}", code, flags=re.M)
        assert count == 1
    found, names = [], {}

    def noted(*arrays):
        index = names["index"]
        found.append((names["D"].copy(), names["I"].copy(), index.nprobe))

    names["print"] = noted
    exec(code, names)
    return names, found


def check_program(document, name: str, **values) -> None:
    first, last = PROGRAMS[name]
    names, found = run(document("survey").code(first, last), **values)
    settings = IndexSettings("l2", lists=names["nlist"], code_bytes=names.get("m"), probes=1)
    assert type(names["index"]).__name__ == name
    index = make_index(name, names["d"], settings)
    index.train(names["xb"], names["nb"])
    index.add(np.arange(names["nb"]), names["xb"])
    assert {probes for _, _, probes in found} == {1, 10}
    for distances, ids, probes in found:
        queries = names["xb"][:5] if len(ids) == 5 else names["xq"]
        index.tune(probes=probes)
        scores, ours = index.search(queries, names["k"])
        np.testing.assert_array_equal(ours, ids)
        np.testing.assert_array_equal(-scores, distances)


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_on_fewer_vectors_1801_1884(document, name):
    check_program(document, name, **SMALL)


@pytest.mark.slow
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_as_printed_1801_1884(document, name):
    check_program(document, name)


# ---- the ten types, 1886-1896, and the three basic ones, 1788-1796


def test_the_list_is_complete_1887_1896(document):
    assert listed(document) == list(TYPES)
    basic = re.findall(r"Index\w+", document("survey").text(1788, 1788))
    assert basic == ["IndexFlatL2", "IndexIVFFlat", "IndexIVFPQ"] and set(basic) <= {kind for kind, *_ in TYPES.values()}


def vectors(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, D)).astype(np.float32)


def plain(program: str):
    """An index of plain Faiss, by the constructor of its class."""
    names = {**vars(faiss), "D": D, "M": M, "LISTS": LISTS, "BITS": BITS, "cells": faiss.IndexFlatL2(D)}
    index = eval(program, names)
    if hasattr(index, "nprobe"):
        index.nprobe = PROBES
    if hasattr(index, "hnsw"):
        index.hnsw.efConstruction, index.hnsw.efSearch = 40, 64
    return index


def ours(kind: str, metric: str = "l2"):
    return make_index(kind, D, IndexSettings(
        metric, lists=LISTS, probes=PROBES, code_bytes=M, links=16, build_effort=40, search_effort=64, hash_bits=BITS))


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("by", ["class", "name", "string"])
def test_types_equal_plain_faiss_1887_1896(document, name, by):
    assert name in listed(document)
    kind, program, string, metric = TYPES[name]
    rows, queries = vectors(600, 0), vectors(50, 1)
    expected = plain(program)
    expected.train(rows)
    expected.add(rows)
    distances, ids = expected.search(queries, 5)
    index = ours({"class": kind, "name": ours(kind, metric).kind, "string": string}[by], metric)
    index.train(rows, len(rows))
    index.add(np.arange(len(rows)), rows)
    scores, found = index.search(queries, 5)
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_array_equal(scores if metric == "inner_product" else -scores, distances)


@pytest.mark.parametrize("name", TYPES)
def test_types_are_kept_on_disk_and_changed_1887_1896(name, tmp_path):
    kind, _, string, metric = TYPES[name]
    index = ours(string, metric)
    rows, extra = vectors(600, 0), vectors(20, 2)
    assert fewest_vectors(string, index.settings) <= 600
    index.train(rows, len(rows))
    index.add(np.arange(600), rows)
    index.save(tmp_path)
    loaded = load_index(tmp_path)
    for one, other in zip(index.search(extra, 10), loaded.search(extra, 10)):
        np.testing.assert_array_equal(one, other)
    loaded.add(np.arange(5000, 5020), extra)
    assert len(loaded) == 620 and np.isin(np.arange(5000, 5020), loaded.ids()).all()
    nearest = loaded.search(extra, 10)[1]
    assert (nearest == np.arange(5000, 5020)[:, None]).any(1).mean() >= (0.9 if metric == "l2" else 0)
    if not loaded.removes:
        assert kind == "IndexIVFPQR" and loaded.remove([77_777]) == 0  # nothing to remove
        with pytest.raises(ValueError, match=r"cannot remove vectors, and 2 were to be removed: make it again"):
            loaded.remove([3, 5000])
        return
    assert loaded.remove([3, 5000, 77_777]) == 2 and len(loaded) == 618
    assert not np.isin([3, 5000], loaded.ids()).any() and not np.isin([3, 5000], loaded.search(extra, 50)[1]).any()
