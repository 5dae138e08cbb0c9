"""Device settings: the calls of TensorFlow, and the errors."""

import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tfplm.training.loop import devices
from tfplm.training.loop.devices import set_devices


class Gpu:
    def __init__(self, index):
        self.name, self.device_type = f"/physical_device:GPU:{index}", "GPU"


@pytest.fixture
def two_gpus(monkeypatch):
    """TensorFlow with two GPUs that are not initialized; returns the recorded calls."""
    gpus, calls = [Gpu(0), Gpu(1)], {}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda chosen, kind: calls.update(visible=chosen))
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", lambda gpu, on: calls.update({gpu.name: on}))
    monkeypatch.setattr(tf.config, "set_logical_device_configuration",
                        lambda gpu, logical: calls.update({gpu.name: logical[0].memory_limit}))
    calls["gpus"] = gpus
    return calls


def test_one_gpu_is_visible(two_gpus):
    assert set_devices(gpu=1) == ["/physical_device:GPU:1"]
    assert two_gpus["visible"] == [two_gpus["gpus"][1]]


def test_no_gpu_and_several(two_gpus):
    assert set_devices(gpu=-1) == [] and two_gpus["visible"] == []
    assert len(set_devices(gpu="0,1")) == 2


def test_memory(two_gpus, monkeypatch):
    set_devices(gpu=0, memory_limit=512)
    assert two_gpus["/physical_device:GPU:0"] == 512 and "/physical_device:GPU:1" not in two_gpus
    set_devices(gpu=0, allow_growth=True)
    assert two_gpus["/physical_device:GPU:0"] is True
    monkeypatch.setattr(devices, "_memory_of", lambda present, device: 10000)
    set_devices(gpu=1, memory_fraction=0.33)
    assert two_gpus["/physical_device:GPU:1"] == 3300
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "")
    set_devices(gpu=0, memory_fraction=0.5, allow_growth=True)  # both
    assert two_gpus["/physical_device:GPU:0"] == 5000 and os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"


@pytest.mark.parametrize("settings, message", [
    ({"gpu": 2}, r"there is no GPU 2; expected one of the GPUs of this machine \(0, 1\)"),
    ({"gpu": "first"}, "gpu is 'first'; expected an index"),
    ({"memory_fraction": 1.5}, r"memory_fraction is 1.5; expected a fraction in \(0, 1\]"),
    ({"memory_limit": -1}, "memory_limit is -1; expected a number of MiB"),
    ({"memory_limit": 100, "memory_fraction": 0.5}, "memory_fraction is 0.5 and memory_limit is 100; expected only"),
])
def test_errors(two_gpus, settings, message):
    with pytest.raises(ValueError, match=message):
        set_devices(**settings)


def test_too_late(two_gpus, monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("Visible devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
    with pytest.raises(RuntimeError, match=r"already initialized, .* call set_devices.* at the start of the program"):
        set_devices(gpu=0)


@pytest.mark.slow
def test_really_too_late():
    code = ("import tensorflow as tf; from tfplm.training.loop.devices import set_devices\n"
            "tf.zeros(())\n"
            "try: set_devices(gpu=-1)\nexcept RuntimeError as error: assert 'too late' in str(error)\n"
            "else: assert not tf.config.list_physical_devices('GPU')")
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
