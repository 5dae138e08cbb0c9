"""Fine-tuning on two mirrored devices equals fine-tuning on one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.adapt.finetune.agreement_program import CASES

PROGRAM = Path(__file__).with_name("agreement_program.py")


@pytest.fixture(scope="module")
def runs(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("strategies")
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[3])}
    environment.pop("TF_CONFIG", None)
    for strategy in ("one", "mirrored"):
        done = subprocess.run([sys.executable, str(PROGRAM), strategy, str(folder), str(tiny)], env=environment,
                              capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stderr[-4000:]
    return [dict(np.load(folder / f"{strategy}.npz")) for strategy in ("one", "mirrored")]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_weights_scores_and_loss_equal_those_of_one_device(runs, case):
    one, two = runs
    keys = [key for key in one if key.startswith(case + "/")]
    assert len(keys) > 20 and one.keys() == two.keys()
    for key in keys:
        np.testing.assert_allclose(two[key], one[key], atol=2e-5, err_msg=key)
