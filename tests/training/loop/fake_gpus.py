"""Two GPUs that do not exist, for the settings of devices."""

import pytest
import tensorflow as tf
from tensorflow.python.eager import context


@pytest.fixture
def two_gpus(monkeypatch):
    """TensorFlow as it is before it makes its devices, on a machine with two GPUs.

    Returns its context, whose `config` is what the runtime would be started with.
    """
    fresh = context.Context()
    fresh._initialize_physical_devices()
    gpus = [tf.config.PhysicalDevice(f"/physical_device:GPU:{index}", "GPU") for index in range(2)]
    fresh._physical_devices += gpus
    fresh._visible_device_list += gpus
    fresh._memory_growth_map |= dict.fromkeys(gpus)
    monkeypatch.setattr(context, "_context", fresh)
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "")
    return fresh
