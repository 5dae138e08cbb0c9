"""Kills a writer at a random moment and checks the state that the next one finds."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from tests.embed.search.fake_encoder import FakeEncoder
from tfplm.embed.search.search_index import SearchIndex

ROOT = Path(__file__).parents[3]


def after(texts: dict[str, str], what: str, values) -> dict[str, str]:
    if what == "add":
        return {**texts, **values}
    return {name: text for name, text in texts.items() if name not in values}


def expected(notes: Path, before: dict[str, str]) -> list[dict[str, str]]:
    """The possible contents of the index: all changes that had returned, with or without the unfinished one."""
    texts, started = before, None
    for line in notes.read_text(encoding="utf-8").splitlines():
        note = json.loads(line)
        if note[0] == "start":
            started = note[1:]
        else:
            texts, started = after(texts, *started), None
    return [texts] if started is None else [texts, after(texts, *started)]


def kill_often(folder: Path, notes: Path, times: int, kind: str = "auto", url: str = "", seed: int = 0, milvus: str = ""
               ) -> int:
    """Returns the number of rounds in which a change had returned. url: of the records, milvus: of the vectors."""
    rng, texts, worked = np.random.default_rng(seed), {}, 0
    for index in range(times):
        notes.write_text("")
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.embed.search.kill_program", str(folder), str(notes), str(1000 * seed + index),
             kind, url, milvus], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            ready = program.stdout.readline()
            assert ready == b"ready\n", program.stderr.read().decode()
            lines = 2 * rng.integers(0, 15)
            while program.poll() is None and notes.read_bytes().count(b"\n") < lines:
                time.sleep(0.002)
            time.sleep(rng.random() * 0.03)
            assert program.poll() is None, program.stderr.read().decode()
        finally:
            program.kill()
            program.communicate()
        worked += len(notes.read_text().splitlines()) > 2
        if (folder / "manifest.json").exists():
            texts = found(folder, expected(notes, texts), writable=index % 2 == 0)
    return worked


def found(folder: Path, allowed: list[dict[str, str]], writable: bool) -> dict[str, str]:
    """Returns the texts in the index; asserts that they are allowed and found by their vectors."""
    with SearchIndex.open(folder, FakeEncoder(8), writable=writable, trust=True) as index:
        texts = {record.id: record.text for record in index.records()}
        assert texts in allowed, f"{len(texts)} records"
        assert index.verify() == []
        if texts:
            vectors = FakeEncoder(8).encode(list(texts.values()))
            for (name, text), vector, (hit,) in zip(texts.items(), vectors, index.search_vectors(vectors, k=1)):
                np.testing.assert_array_equal(index.get(name).vector, vector)  # the stored vector is that of this text
                same = np.array_equal(index.get(hit.id).vector, vector)  # equal for texts of the same characters
                assert hit.text == text or same, (name, text, hit)
                assert hit.score > 1 - 1e-5, (name, text, hit)
    return texts
