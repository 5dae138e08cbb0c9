"""Fixtures for the settings of devices."""

from tests.training.loop.fake_gpus import two_gpus  # noqa: F401 (a fixture)
