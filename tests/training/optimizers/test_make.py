"""Trainings whose schedule would leave the weights as they are."""

import logging

import pytest

from tfplm.options.pretrain import PretrainOptions
from tfplm.training.optimizers.make import compile_arguments


def arguments(steps, **options):
    return compile_arguments(PretrainOptions(text=["x"], **options), steps)


def test_a_training_without_an_update_is_refused():
    with pytest.raises(ValueError, match=r"accumulation is 8, but the whole training has 7 batches"):
        arguments(7, accumulation=8)
    assert arguments(8, accumulation=8)


def test_a_warm_up_that_does_not_end_is_said(caplog):
    caplog.set_level(logging.WARNING)
    arguments(10, warmup_steps=9)
    assert caplog.text == ""
    arguments(10, warmup_steps=10)
    assert "the warm-up has 10 updates, but the whole training 10: the learning rate does not reach its peak" in caplog.text
    caplog.clear()
    arguments(10, schedule="constant", warmup_ratio=2.0)
    assert "the warm-up has 20 updates" in caplog.text


def test_a_rate_of_zero_is_said(caplog):
    arguments(10, learning_rate=0.0)
    assert "the learning rate is 0: no weight changes" in caplog.text
