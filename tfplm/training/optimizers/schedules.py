"""Learning rate schedules: warm-up from zero, then a linear, cosine, polynomial or other decay."""

import math

import keras
import tensorflow as tf

from tfplm.core.keras_internals import schedule_of
from tfplm.summaries.recorders import innermost


def _linear(done, schedule):
    return 1.0 - done


def _cosine(done, schedule):
    return 0.5 * (1.0 + tf.cos(math.pi * done))


def _polynomial(done, schedule):
    return (1.0 - done) ** schedule.power


def _constant(done, schedule):
    return tf.ones_like(done)


DECAYS = {"linear": _linear, "cosine": _cosine, "polynomial": _polynomial, "constant": _constant}


@keras.saving.register_keras_serializable("tfplm")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up from 0 to `learning_rate`, then a decay to `end_learning_rate` at `total_steps`.

    Steps are updates of the weights, counted from 0, as in BERT (Devlin et al. 2019, A.2) and Hugging Face's
    `get_*_schedule_with_warmup`: the first update has the rate of step 0.

    Args:
        learning_rate: the peak.
        decay: "linear", "cosine" (half a wave; Loshchilov & Hutter 2017), "polynomial" (of degree `power`), "constant".
        warmup_steps: number of updates before the peak.
        total_steps: number of updates before the end; required by every decay except "constant". The rate is constant
            afterwards.
        end_learning_rate: the rate at the end.
        power: degree of the polynomial.
    """

    def __init__(self, learning_rate: float, decay: str = "linear", warmup_steps: int = 0,
                 total_steps: int | None = None, end_learning_rate: float = 0.0, power: float = 1.0):
        if decay not in DECAYS:
            raise ValueError(f"decay is {decay!r}; expected one of {', '.join(DECAYS)}")
        if decay != "constant" and (total_steps is None or total_steps <= warmup_steps):
            raise ValueError(f"total_steps is {total_steps} with {warmup_steps} warm-up steps; the {decay} decay needs "
                             "the number of updates of the whole training, which is greater than the warm-up")
        self.learning_rate, self.decay, self.warmup_steps = learning_rate, decay, warmup_steps
        self.total_steps, self.end_learning_rate, self.power = total_steps, end_learning_rate, power

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        done = (step - self.warmup_steps) / ((self.total_steps or math.inf) - self.warmup_steps)
        fraction = DECAYS[self.decay](tf.clip_by_value(done, 0.0, 1.0), self)
        decayed = self.end_learning_rate + (self.learning_rate - self.end_learning_rate) * fraction
        warming = self.learning_rate * step / max(1, self.warmup_steps)
        return tf.where(step < self.warmup_steps, warming, decayed)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "decay": self.decay, "warmup_steps": self.warmup_steps,
                "total_steps": self.total_steps, "end_learning_rate": self.end_learning_rate, "power": self.power}


@keras.saving.register_keras_serializable("tfplm")
class InverseSquareRoot(keras.optimizers.schedules.LearningRateSchedule):
    """`learning_rate` x min(step / warmup_steps, sqrt(warmup_steps / step)) (Vaswani et al. 2017, equation 3).

    The scale of the paper is `learning_rate = hidden_size ** -0.5 * warmup_steps ** -0.5`.
    """

    def __init__(self, learning_rate: float, warmup_steps: int = 10000):
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps

    def __call__(self, step):
        step, warmup = tf.cast(step, tf.float32), float(max(1, self.warmup_steps))
        return self.learning_rate * tf.minimum(step / warmup, tf.math.rsqrt(tf.maximum(step, 1.0) / warmup))

    def get_config(self):
        return {"learning_rate": self.learning_rate, "warmup_steps": self.warmup_steps}


@keras.saving.register_keras_serializable("tfplm")
class SlantedTriangular(keras.optimizers.schedules.LearningRateSchedule):
    """Schedule of ULMFiT (Howard & Ruder 2018, eq. 3): a short rise from `learning_rate / ratio`, then a long decay.

    Args:
        learning_rate: the peak.
        total_steps: number of updates of the whole training.
        cut_fraction: fraction of the updates in which the rate rises.
        ratio: the peak divided by the lowest rate.
    """

    def __init__(self, learning_rate: float, total_steps: int, cut_fraction: float = 0.1, ratio: float = 32.0):
        self.learning_rate, self.total_steps = learning_rate, total_steps
        self.cut_fraction, self.ratio = cut_fraction, ratio

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        cut = max(1, math.floor(self.total_steps * self.cut_fraction))
        falling = 1.0 - (step - cut) / (cut * (1.0 / self.cut_fraction - 1.0))
        part = tf.maximum(tf.where(step < cut, step / cut, falling), 0.0)
        return self.learning_rate * (1.0 + part * (self.ratio - 1.0)) / self.ratio

    def get_config(self):
        return {"learning_rate": self.learning_rate, "total_steps": self.total_steps,
                "cut_fraction": self.cut_fraction, "ratio": self.ratio}


@keras.saving.register_keras_serializable("tfplm")
class Paced(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule for a training with a time limit: at step s it has the rate of step `s * pace` of `schedule`.

    `schedule` is made for the largest number of steps. Where the time allows only a tenth of them, `pace`, a float32
    variable that `tfplm.training.loop.callbacks.End` sets after each step, is 10, so that the rate still decays to the
    end.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule):
        self.schedule = schedule
        self.pace = tf.Variable(1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)

    def __call__(self, step):
        return self.schedule(tf.cast(step, tf.float32) * self.pace)

    def get_config(self):
        return {"schedule": keras.saving.serialize_keras_object(self.schedule)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["schedule"]))


def set_pace(optimizer: keras.optimizers.Optimizer, pace: float) -> None:
    """Sets the pace of the schedule of an optimizer, also of a wrapped one, if that is `Paced`."""
    schedule = schedule_of(innermost(optimizer))
    if isinstance(schedule, Paced):
        schedule.pace.assign(pace)
