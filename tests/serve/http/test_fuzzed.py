"""Every interface, fuzzed from its own OpenAPI description."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="pip install -e '.[http]'")
pytest.importorskip("httpx")

from tests.serve.conftest import serving
from tests.serve.fake_engines import FakeEngine
from tests.serve.http.test_rerank import Overlap
from tests.serve.http.test_tasks import Judge
from tfplm.serve.engines.vectors import VectorInfo

ENGINES = {"vectors": lambda: FakeEngine(info=VectorInfo(4, vocab_size=10**9)),
           "vectors of tokens": lambda: FakeEngine(info=VectorInfo(4, vocab_size=10**9, per_token=True)),
           "labels": Judge, "relevance": Overlap}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_fuzzed_from_its_own_description(engine, tmp_path):
    """schemathesis: no 5xx, replies as described, what the description forbids is refused. What it cannot say (ids
    beyond the vocabulary, is_tokenized with texts) is refused as well, hence the one check that is left out."""
    program = shutil.which("st", path=Path(sys.executable).parent) or shutil.which("st")
    if program is None:
        pytest.skip("pip install schemathesis")
    with serving(ENGINES[engine](), http_port=0) as server:
        # 413 is a refusal as well, which schemathesis does not know
        (tmp_path / "schemathesis.toml").write_text('[checks.negative_data_rejection]\nexpected-statuses = ["4xx"]\n')
        done = subprocess.run(
            [program, "run", f"http://127.0.0.1:{server.http_port}/openapi.json", "--max-examples", "150", "--seed", "7",
             "--checks", "all", "--exclude-checks", "positive_data_acceptance"], capture_output=True, text=True,
            timeout=300, cwd=tmp_path)
        assert done.returncode == 0, done.stdout[-3000:]
        assert server.service.counters.numbers["http_responses"] > 100
        assert server.service.counters.numbers["http_server_errors"] == 0
