"""One device, two mirrored devices and two processes give the same results with plain `fit`."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.training.loop.agreement_program import CASES
from tfplm.training.loop.distribute import is_chief, strategy_for

PROGRAM = Path(__file__).with_name("agreement_program.py")


def start(*arguments) -> subprocess.Popen:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    return subprocess.Popen([sys.executable, str(PROGRAM), *map(str, arguments)], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(*processes: subprocess.Popen) -> None:
    for process in processes:
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output[-4000:]


def two_free_ports() -> int:
    """The first of two successive free ports."""
    for port in range(21000 + os.getpid() % 5000, 60000, 7):
        with socket.socket() as first, socket.socket() as second:
            try:
                first.bind(("127.0.0.1", port))
                second.bind(("127.0.0.1", port + 1))
                return port
            except OSError:
                continue
    raise AssertionError("no free ports")


def two_workers(first: Path, second: Path, case: str = "") -> None:
    port = two_free_ports()
    finish(*[start("multi_worker", file, index, port, case) for index, file in enumerate((first, second))])


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("agreement")
    finish(start("one", folder / "one.npz"), start("mirrored", folder / "mirrored.npz"))
    two_workers(folder / "workers.npz", folder / "second.npz")
    runs = {name: dict(np.load(folder / f"{name}.npz")) for name in ("one", "mirrored", "workers", "second")}
    return runs, folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("other", ["mirrored", "workers", "second"])
def test_loss_metrics_and_weights_equal_those_of_one_device(runs, case, other):
    one, many = runs[0]["one"], runs[0][other]
    assert many["replicas"] == 2 and one["replicas"] == 1
    keys = [key for key in one if key.startswith(case + "/")]
    assert len(keys) >= 10 and any("val_loss" in key for key in keys)
    # in bfloat16 each half of the batch is rounded to 8 bits before the sum
    tolerance = 2e-4 if case == "bfloat16" else 1e-5
    for key in keys:
        np.testing.assert_allclose(many[key], one[key], atol=tolerance, rtol=0, err_msg=key)


@pytest.mark.slow
def test_the_weights_have_changed(runs):
    one = runs[0]["one"]
    assert all(np.ptp(one[f"{case}/loss"]) > 1e-5 for case in CASES)


@pytest.mark.slow
def test_only_the_chief_writes(runs):
    results, folder = runs
    assert results["workers"]["chief"] and not results["second"]["chief"]
    assert list((folder / "multi_worker" / "adamw").glob("ckpt-*.index"))
    assert not list((folder / "multi_worker").rglob(".worker-*"))


@pytest.mark.slow
def test_both_workers_resume_from_the_checkpoints_of_the_chief(runs):
    results, folder = runs
    newest = Path(tf.train.latest_checkpoint(folder / "multi_worker" / "clipped"))
    for file in newest.parent.glob(newest.name + ".*"):
        file.unlink()  # that of the end; the previous one is in the middle of the last epoch
    two_workers(folder / "again.npz", folder / "again_second.npz", "clipped")
    for name in ("again", "again_second"):
        again = np.load(folder / f"{name}.npz")
        for key in (key for key in results["workers"] if key.startswith("clipped/")):
            np.testing.assert_allclose(again[key], results["workers"][key], atol=1e-6, err_msg=key)


def test_the_chief_is_determined_by_the_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert is_chief()
    workers = {"worker": ["a:1", "b:1"]}
    led = {**workers, "chief": ["c:1"]}
    for cluster, kind, index, expected in [(workers, "worker", 0, True), (workers, "worker", 1, False),
                                           (led, "worker", 0, False), (led, "chief", 0, True)]:
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
        assert is_chief() is expected


def test_one_device_is_the_default(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategy_for("auto").num_replicas_in_sync == 1
    assert strategy_for("one") is tf.distribute.get_strategy()


@pytest.mark.parametrize("arguments, message", [
    ({"name": "two"}, "strategy is 'two'; expected one of auto, one, mirrored, multi_worker"),
    ({"name": "multi_worker"}, "needs TF_CONFIG, or workers"),
    ({"name": "multi_worker", "workers": ["a:1", "b:1"]}, "index is None; expected the index of one of the 2 workers"),
    ({"name": "multi_worker", "workers": ["a:1", "b:1"], "index": 2}, "index is 2"),
])
def test_errors(monkeypatch, arguments, message):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(ValueError, match=message):
        strategy_for(**arguments)
