"""Dtype policies, and the choice of one by what was measured on this machine."""

import contextlib
import dataclasses
import functools
import logging
import os

import keras
import tensorflow as tf

from tfplm.core.machine.processor import processor
from tfplm.layers.kernels import tuning

AUTO = "auto"
VARIABLE = "TFPLM_DTYPE"  # what "auto" means: float32, or bfloat16 (in training mixed_bfloat16); unset: it is measured
_SLOW = 1.1  # ratio of times from which bfloat16 is called slow
_AMPERE = (8, 0)  # the first GPUs that compute in bfloat16
log = logging.getLogger("tfplm")


@dataclasses.dataclass(frozen=True)
class Choice:
    """What "auto" means, and why. ratio: of the measured times in bfloat16 and float32, None if nothing was measured."""

    dtype: str
    reason: str
    ratio: float | None = None


@contextlib.contextmanager
def dtype_policy(dtype=None):
    """A context in which layers are created with this policy (a name, a policy, or None for the global one).

    "auto" is the policy of models that are not trained, see `inference_dtype`. If this processor computes more slowly in
    bfloat16 than in float32, one warning is logged.
    """
    before = keras.config.dtype_policy()
    policy = before if dtype is None else keras.dtype_policies.get(inference_dtype(dtype))
    if dtype not in (None, AUTO) and policy.compute_dtype == "bfloat16":
        _warn_if_slow("step" if policy.variable_dtype == "float32" else "forward", policy.name)
    keras.config.set_dtype_policy(policy)
    try:
        yield policy
    finally:
        keras.config.set_dtype_policy(before)


def inference_dtype(dtype):
    """The policy of a model that is not trained in place of "auto"; others, and None, are returned unchanged.

    float32, or bfloat16 where that was measured to be faster; on a GPU that computes in it, mixed_bfloat16.
    """
    return choice("forward").dtype if dtype == AUTO else dtype


def training_dtype(dtype):
    """The policy of a model that is trained in place of "auto"; others, and None, are returned unchanged.

    float32, or mixed_bfloat16 where a step was measured to be faster, and on a GPU that computes in it.
    """
    return choice("step").dtype if dtype == AUTO else dtype


def choice(kind: str) -> Choice:
    """What "auto" means for "forward", a model that is not trained, or "step", one that is.

    Raises ValueError for another value of $TFPLM_DTYPE than float32 and bfloat16.
    """
    low = "bfloat16" if kind == "forward" else "mixed_bfloat16"
    given = os.environ.get(VARIABLE, "")
    if given not in ("", "float32", "bfloat16"):
        raise ValueError(f"{VARIABLE} is {given!r}; expected float32, bfloat16, or nothing, to measure the speeds: change "
                         "it")
    if given:
        return Choice(low if given == "bfloat16" else given, f"{VARIABLE} is set")
    if tuning.has_gpu():
        return _of_gpu()
    if tuning.has_bfloat16() is False:
        return Choice("float32", "this processor has no bfloat16 units")
    ratio = tuning.slowdown(kind)
    what = "a layer" if kind == "forward" else "a training step of a layer"
    times = f"{what} takes {ratio:.2f} times as long in bfloat16 as in float32"
    return Choice(low if ratio * tuning.PAYS < 1 else "float32", times, ratio)


def _of_gpu() -> Choice:
    capabilities = [tf.config.experimental.get_device_details(gpu).get("compute_capability", _AMPERE)
                    for gpu in tf.config.get_visible_devices("GPU")]
    if all(capability >= _AMPERE for capability in capabilities):
        return Choice("mixed_bfloat16", "there is a GPU")
    return Choice("float32", "the GPU does not compute in bfloat16")


@functools.cache
def _warn_if_slow(kind: str, policy: str) -> None:
    """Logs once how much slower bfloat16 is, if it is; nothing is measured where $TFPLM_DTYPE is set or on a GPU."""
    if os.environ.get(VARIABLE) or tuning.has_gpu():
        return
    if tuning.limit():
        log.warning('dtype "%s" is slow, as ONEDNN_MAX_CPU_ISA forbids the bfloat16 units; use "auto" or "float32"', policy)
    elif (ratio := tuning.slowdown(kind)) > _SLOW:
        log.warning('dtype "%s" is slow on this processor (%s): a layer takes %.1f times as long as in float32; use "auto" '
                    'or "float32"', policy, processor().name, ratio)
