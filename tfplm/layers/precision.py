"""Dtype policies."""

import contextlib

import keras


@contextlib.contextmanager
def dtype_policy(dtype=None):
    """A context in which layers are created with this policy (a name, a policy, or None for the global one)."""
    before = keras.config.dtype_policy()
    policy = before if dtype is None else keras.dtype_policies.get(dtype)
    keras.config.set_dtype_policy(policy)
    try:
        yield policy
    finally:
        keras.config.set_dtype_policy(before)
