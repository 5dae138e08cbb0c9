"""Faiss with one thread: threads that wait for each other cost more than they bring for so few vectors."""

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
