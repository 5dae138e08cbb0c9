"""Device settings: what TensorFlow is started with, every verb that trains, and the errors."""

import dataclasses
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from tfplm import cli
from tfplm.options.base import DeviceOptions, TrainingOptions
from tfplm.training.loop import devices
from tfplm.training.loop.devices import set_devices

GPUS = ["/physical_device:GPU:0", "/physical_device:GPU:1"]


def test_one_gpu_is_visible(two_gpus):
    assert set_devices(gpu=1) == GPUS[1:]
    assert [device.name for device in tf.config.get_visible_devices("GPU")] == GPUS[1:]
    assert two_gpus.config.gpu_options.visible_device_list == "1"


def test_no_gpu_and_several(two_gpus):
    assert set_devices(gpu="1,0") == GPUS and two_gpus.config.gpu_options.visible_device_list == "0,1"
    assert set_devices(gpu=-1) == [] and tf.config.get_visible_devices("GPU") == []


def test_memory_limit(two_gpus):
    set_devices(gpu=0, memory_limit=512)
    (limits,) = two_gpus.config.gpu_options.experimental.virtual_devices
    assert list(limits.memory_limit_mb) == [512] and not two_gpus.config.gpu_options.allow_growth


def test_memory_fraction_and_growth(two_gpus, monkeypatch):
    monkeypatch.setattr(devices, "_memory_of", lambda present, device: {GPUS[0]: 10_000, GPUS[1]: 20_000}[device.name])
    set_devices(memory_fraction=0.33, allow_growth=True)
    limits = two_gpus.config.gpu_options.experimental.virtual_devices
    assert [list(one.memory_limit_mb) for one in limits] == [[3300], [6600]]
    assert os.environ["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"  # TensorFlow has no other growth up to a limit


def test_growth_alone(two_gpus):
    set_devices(gpu=1, allow_growth=True)
    options = two_gpus.config.gpu_options
    assert options.allow_growth and options.visible_device_list == "1" and not options.experimental.virtual_devices


@pytest.mark.parametrize("settings, message", [
    ({"gpu": 2}, r"there is no GPU 2; expected one of the GPUs of this machine \(0, 1\), or -1 for the CPU: change --gpu"),
    ({"gpu": "first"}, "gpu is 'first'; expected an index such as 0.*: change --gpu"),
    ({"memory_fraction": 1.5}, r"memory_fraction is 1.5; expected a fraction in \(0, 1\]"),
    ({"memory_fraction": 0.0}, r"memory_fraction is 0.0; expected a fraction in \(0, 1\]"),
    ({"memory_limit": -1}, "memory_limit is -1; expected a number of MiB"),
    ({"memory_limit": 100, "memory_fraction": 0.5}, "memory_fraction is 0.5 and memory_limit is 100; expected only"),
])
def test_errors(two_gpus, settings, message):
    with pytest.raises(ValueError, match=message):
        devices.set_devices_of(DeviceOptions(**settings))


@pytest.mark.parametrize("settings", [{"gpu": 0}, {"memory_limit": 512}, {"allow_growth": True}])
def test_too_late(two_gpus, settings):
    two_gpus._context_handle = object()  # as after the first tensor
    with pytest.raises(RuntimeError, match=r"made its devices, so it is too late .*; expected them before the first tensor"
                                           r".*: give them to the first verb that is called, or call tfplm.training.set_d"):
        set_devices(**settings)


def test_the_same_settings_are_never_too_late(two_gpus):
    """Several trainings in one program."""
    settings = DeviceOptions(gpu="1", memory_limit=512, allow_growth=True)
    devices.set_devices_of(settings)
    two_gpus._context_handle = object()
    devices.set_devices_of(settings)
    devices.set_devices_of(DeviceOptions())


def test_memory_without_a_gpu(two_gpus, caplog):
    set_devices(gpu=-1, memory_limit=512)
    assert caplog.messages == ["no GPU is used, so the settings of its memory have no effect"]


VERBS = {verb: options for verb, (target, _) in cli.VERBS.items()
         if verb != "example" and issubclass(options := cli.resolve(target), DeviceOptions)}


def test_verbs_that_train_have_the_settings():
    assert {"demo", "mnist", "pretrain", "finetune", "multitask", "contrastive", "run-classifier"} <= set(VERBS)
    assert issubclass(TrainingOptions, DeviceOptions)


@pytest.mark.parametrize("verb", VERBS)
def test_they_are_set_before_anything_else(verb, two_gpus):
    """The error of the GPU comes first, although no model and no file of these options exists."""
    required = {field.name: ["x"] if "list" in str(field.type) else "x" for field in dataclasses.fields(VERBS[verb])
                if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING}
    options = VERBS[verb](**required, gpu="77")
    with pytest.raises(ValueError, match="there is no GPU 77"):
        cli.resolve(options.RUN)(options)


IMPORTS = """
import importlib, sys
from tensorflow.python.eager import context
for target in sys.argv[1:]:
    importlib.import_module(target.split(":")[0])
assert not context.context()._initialized, "an import has made the devices"
import tensorflow as tf
from tfplm.training import set_devices
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
set_devices(gpu=-1)
assert len(tf.config.list_logical_devices("CPU")) == 2 and not tf.config.list_logical_devices("GPU")
"""


@pytest.mark.slow
def test_no_import_of_a_verb_makes_the_devices():
    """Settings come after the imports and are in time."""
    done = subprocess.run([sys.executable, "-c", IMPORTS, *(options.RUN for options in VERBS.values())],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
