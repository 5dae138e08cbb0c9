"""The choice of the kind by the number of vectors and the memory."""

import sys

import pytest

import tfplm.embed.search.index.kinds as kinds
from tfplm.embed.search.index.exact import ExactIndex
from tfplm.embed.search.index.kinds import choose_kind, make_index
from tfplm.embed.search.index.vector_index import IndexSettings

GIB = 1 << 30


@pytest.mark.parametrize(("count", "memory", "kind", "reason"), [
    (10_000, 8 * GIB, "flat", "comparing all 10,000 vectors is fast, and exact"),
    (1_000_000, 8 * GIB, "hnsw", r"a graph over 1,000,000 vectors takes 3.1 GiB of the memory limit of 8.0 GiB"),
    (1_000_000, 3 * GIB, "ivf", r"in cells take 2.9 GiB of the memory limit of 3.0 GiB; a graph would take 3.1 GiB"),
    (10_000_000, 64 * GIB, "ivf", r"28.7 GiB of the memory limit of 64.0 GiB; a graph would take long to build"),
    (10_000_000, 8 * GIB, "ivf_pq", "would take 28.7 GiB, more than the memory limit of 8.0 GiB; codes take 1.9 GiB"),
    (1_000, 1 << 20, "sq", "with 8 bits per number they take 758 KiB"),
])
def test_auto(count, memory, kind, reason, monkeypatch):
    monkeypatch.setattr(kinds, "has_faiss", lambda: True)
    choice = choose_kind("auto", count, 768, memory=memory)
    assert choice.kind == kind and reason in choice.reason


def test_without_faiss(monkeypatch):
    monkeypatch.setattr(kinds, "has_faiss", lambda: False)
    choice = choose_kind("auto", 10**6, 768)
    assert choice.kind == "exact" and "pip install -e '.[search]'" in choice.reason
    assert isinstance(make_index(choice.kind, 3), ExactIndex)
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[search\]', or use kind 'exact'"):
        make_index("flat", 3)


def test_given_kinds_are_kept():
    assert choose_kind("lsh", 10, 8) == ("lsh", "lsh was requested")
    assert choose_kind("ivf", 5000, 8).kind == "ivf"
    choice = choose_kind("ivf_pq", 1999, 8, IndexSettings())
    assert choice.kind == "flat" and choice.reason.startswith("1,999 vectors are too few to train ivf_pq, which needs 2,000")
    with pytest.raises(ValueError, match="kind is 'tree', expected auto, exact or one of flat"):
        choose_kind("tree", 10, 8)


def test_memory_of_this_machine():
    assert kinds.usable_memory() > 1 << 28
