"""Faiss with one thread: for so few vectors the synchronization of threads costs more than it gains."""

import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    try:
        import faiss
    except ImportError:
        yield
        return
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)
