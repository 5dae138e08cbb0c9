"""The annotations of the floors that others build on agree with the code (packages and rules: mypy.ini)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_mypy_finds_nothing():
    run = subprocess.run([sys.executable, "-m", "mypy"], cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (files,) = re.findall(r"no issues found in (\d+) source files", run.stdout)
    assert int(files) > 100
