"""Learning rate schedules against the formulas of the papers."""

import math

import keras
import numpy as np
import pytest

from tfplm.options.optimizer import OptimizerOptions
from tfplm.training.optimizers.make import make_schedule
from tfplm.training.optimizers.schedules import InverseSquareRoot, Schedule, SlantedTriangular

PEAK, WARMUP, TOTAL, END = 2e-3, 10, 50, 1e-4


def expected(decay: str, step: int, power: float = 2.0) -> float:
    if step < WARMUP:
        return PEAK * step / WARMUP
    remaining = max(0.0, (TOTAL - step) / (TOTAL - WARMUP))
    fraction = {"linear": remaining, "cosine": 0.5 * (1 + math.cos(math.pi * (1 - remaining))),
                "polynomial": remaining ** power, "constant": 1.0}[decay]
    return END + (PEAK - END) * fraction


@pytest.mark.parametrize("decay", ["linear", "cosine", "polynomial", "constant"])
def test_warm_up_and_decay(decay):
    schedule = Schedule(PEAK, decay, WARMUP, TOTAL, END, power=2.0)
    found = [float(schedule(step)) for step in range(60)]
    np.testing.assert_allclose(found, [expected(decay, step) for step in range(60)], rtol=1e-5, atol=1e-9)
    assert found[0] == 0 and max(found) == pytest.approx(PEAK)


def test_constant_needs_no_total_steps():
    assert float(Schedule(PEAK, "constant", 4)(2)) == pytest.approx(PEAK / 2)
    assert float(Schedule(PEAK, "constant")(10 ** 6)) == pytest.approx(PEAK)


def test_slanted_triangular_equals_equation_3():
    schedule, cut = SlantedTriangular(0.01, total_steps=100, cut_fraction=0.1, ratio=32), 10
    for step in range(101):
        part = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.1 - 1))
        assert float(schedule(step)) == pytest.approx(0.01 * (1 + part * 31) / 32, rel=1e-5)
    assert float(schedule(0)) == pytest.approx(0.01 / 32) and float(schedule(10)) == pytest.approx(0.01)


def test_inverse_square_root_equals_the_transformer_paper():
    schedule = InverseSquareRoot(512 ** -0.5 * 4000 ** -0.5, 4000)
    for step in (1, 100, 3999, 4000, 4001, 100000):
        assert float(schedule(step)) == pytest.approx(512 ** -0.5 * min(step ** -0.5, step * 4000 ** -1.5), rel=1e-5)


@pytest.mark.parametrize("schedule", [Schedule(0.1, "cosine", 3, 9), InverseSquareRoot(0.1, 5),
                                      SlantedTriangular(0.1, 20)])
def test_is_restored_from_its_config(schedule):
    restored = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert type(restored) is type(schedule)
    assert [float(restored(step)) for step in range(20)] == [float(schedule(step)) for step in range(20)]


def test_from_options():
    assert make_schedule(OptimizerOptions(warmup_ratio=0.2), 100).warmup_steps == 20
    assert make_schedule(OptimizerOptions(warmup_steps=7), 100).warmup_steps == 7
    assert make_schedule(OptimizerOptions(schedule="slanted_triangular", warmup_ratio=0.25), 80).cut_fraction == 0.25
    assert make_schedule(OptimizerOptions(schedule="inverse_sqrt", warmup_steps=9)).warmup_steps == 9


@pytest.mark.parametrize("arguments, message", [
    (("sine", 0, 10), "decay is 'sine'; expected one of linear, cosine, polynomial, constant"),
    (("linear", 5, None), "total_steps is None with 5 warm-up steps; the linear decay needs"),
    (("cosine", 5, 5), "total_steps is 5 with 5 warm-up steps"),
])
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        Schedule(0.1, *arguments)


def test_slanted_triangular_needs_total_steps():
    with pytest.raises(ValueError, match="total_steps is None; the slanted_triangular schedule needs"):
        make_schedule(OptimizerOptions(schedule="slanted_triangular"))
