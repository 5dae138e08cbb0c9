import os
from pathlib import Path

import pytest

from tests.conftest import ROOT, missing
from tests.documents.reading import Document, read
from tests.training.loop.fake_gpus import two_gpus  # noqa: F401 (a fixture)


@pytest.fixture(scope="session")
def document():
    """A function: short name of a document (`reading.NAMES`) -> `Document`. They lie beside the data sets."""
    def find(name: str) -> Document:
        named = os.environ.get("TFPLM_DATA")
        for folder in [*([Path(named).parent / "seeds"] if named else []), ROOT.parent / "shared" / "seeds"]:
            if folder.is_dir():
                return read(folder, name)
        return missing("the source documents were not found: `seeds` must lie beside the folder $TFPLM_DATA")

    return find
