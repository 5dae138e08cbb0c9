"""Adds, changes and deletes at random until it is killed, and logs the start and the end of each change.

    python -m tests.embed.search.kill_program FOLDER NOTES SEED KIND RECORDS_URL MILVUS
"""

import json
import os
import sys

import numpy as np

from tests.embed.search.fake_encoder import FakeEncoder
from tfplm.embed.search import index_cache
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex

IDS = 60


def change(rng) -> tuple[str, dict | list]:
    """A random change: ("add", {id: text}) or ("delete", ids) or ("compact", [])."""
    chosen = [str(name) for name in rng.permutation(IDS)[:rng.integers(1, 15)]]
    if (draw := rng.random()) < 0.05:
        return "compact", []
    if draw < 0.35:
        return "delete", chosen
    return "add", {name: f"{name} 图书馆 {rng.integers(10**6)}" for name in chosen}


def main(folder: str, notes: str, seed: str, kind: str, url: str, milvus: str) -> None:
    index_cache._SAVED_ROWS, index_cache._SAVED_SHARE = 20, 0  # saves often, so that kills interrupt it
    rng, encoder = np.random.default_rng(int(seed)), FakeEncoder(8)
    if os.path.exists(os.path.join(folder, "manifest.json")):
        index = SearchIndex.open(folder, encoder, writable=True, trust=True)
    else:
        index = SearchIndex.create(folder, encoder, SearchSettings(kind, records=url or None, milvus=milvus or None))
    with open(notes, "a", encoding="utf-8") as file:
        def note(what):
            file.write(json.dumps(what) + "\n")
            file.flush()

        print("ready", flush=True)
        while True:
            what, values = change(rng)
            note(["start", what, values])
            if what == "add":
                index.add(list(values.items()), "replace", batch_size=100)
            elif what == "delete":
                index.delete(values)
            else:
                index.compact()
            note(["done"])
            if rng.random() < 0.7:
                index.search("图书馆")


if __name__ == "__main__":
    main(*sys.argv[1:])
