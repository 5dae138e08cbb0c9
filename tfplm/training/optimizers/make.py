"""Creation of optimizers and schedules from options."""

import dataclasses
import logging

import keras

from tfplm.options.optimizer import OptimizerOptions
from tfplm.training.optimizers.adam import LAMB, SGD, Adafactor, AdamW
from tfplm.training.optimizers.lookahead import Lookahead
from tfplm.training.optimizers.schedules import InverseSquareRoot, Paced, Schedule, SlantedTriangular

log = logging.getLogger(__name__)


def make_optimizer(options: OptimizerOptions | str | None = None, *, total_steps: int | None = None,
                   rates: dict[str, float] | None = None, decay=None, **changes):
    """Creates a Keras optimizer with its schedule: `make_optimizer("adamw", learning_rate=2e-5, total_steps=1000)`.

    Args:
        options: `OptimizerOptions`, or the name of the optimizer.
        total_steps: number of updates of the whole training (batches / `accumulation`); required by every schedule that
            decays to an end.
        rates: factors of the learning rate by regular expressions of the paths of variables, see `Updates`.
        decay: a Keras schedule instead of that of the options.
        changes: fields of `OptimizerOptions` that replace those of `options`.
    """
    if isinstance(options, str):
        options = OptimizerOptions(optimizer=options)
    options = dataclasses.replace(options or OptimizerOptions(), **changes)
    common = {
        "learning_rate": decay or make_schedule(options, total_steps), "weight_decay": options.weight_decay,
        "layer_decay": options.layer_decay, "rates": rates, "global_clipnorm": options.clip_norm or None,
        "gradient_accumulation_steps": options.accumulation if options.accumulation > 1 else None,
    }
    moments = {"beta_1": options.beta_1, "beta_2": options.beta_2, "epsilon": options.epsilon}
    makers = {
        "adamw": lambda: AdamW(**common, **moments),
        "bert_adam": lambda: AdamW(**common, **moments, bias_correction=False),
        "lamb": lambda: LAMB(**common, **moments),
        "adafactor": lambda: Adafactor(**common, relative_step=False),
        "sgd": lambda: SGD(**common, momentum=options.beta_1),
    }
    if options.optimizer not in makers:
        raise ValueError(f"optimizer is {options.optimizer!r}; expected one of {', '.join(makers)}")
    optimizer = makers[options.optimizer]()
    return Lookahead(optimizer, steps=options.lookahead) if options.lookahead else optimizer


def compile_arguments(options, steps: float, rates: dict[str, float] | None = None) -> dict:
    """The arguments `optimizer` and `jit_compile` of `keras.Model.compile`; with a time limit (`minutes`) the schedule
    of the optimizer is `Paced`.

    Args:
        options: `OptimizerOptions` that are also `TrainingOptions` and have `jit`. With mixed_float16 the loss is
            scaled.
        steps: number of batches of the whole training.
        rates: as in `make_optimizer`.

    Raises ValueError if there is no update. A warm-up that does not end, and a rate of 0, are logged as warnings.
    """
    updates = int(steps // options.accumulation)
    if updates < 1:
        raise ValueError(f"accumulation is {options.accumulation}, but the whole training has {steps:g} batches, so no "
                         "weight would be updated: use a smaller --accumulation, or train longer")
    warmup = round(options.warmup_ratio * updates) if options.warmup_steps is None else options.warmup_steps
    if warmup >= updates:
        log.warning("the warm-up has %d updates, but the whole training %d: the learning rate does not reach its peak",
                    warmup, updates)
    if not options.learning_rate:
        log.warning("the learning rate is 0: no weight changes")
    updates = max(updates, (options.warmup_steps or 0) + 1)
    schedule = make_schedule(options, updates)
    if getattr(options, "minutes", None) is not None:
        schedule = Paced(schedule)
    optimizer = make_optimizer(options, total_steps=updates, rates=rates, decay=schedule)
    if options.dtype == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return {"optimizer": optimizer, "jit_compile": {"on": True, "off": False, "auto": "auto"}[options.jit]}


def make_schedule(options: OptimizerOptions, total_steps: int | None = None
                  ) -> keras.optimizers.schedules.LearningRateSchedule:
    """Creates the schedule of the learning rate; `total_steps` as in `make_optimizer`."""
    warmup = options.warmup_steps
    if warmup is None:
        warmup = round(options.warmup_ratio * (total_steps or 0))
    if options.schedule == "inverse_sqrt":
        return InverseSquareRoot(options.learning_rate, warmup)
    if options.schedule == "slanted_triangular":
        if total_steps is None:
            raise ValueError("total_steps is None; the slanted_triangular schedule needs the number of updates of the "
                             "whole training")
        return SlantedTriangular(options.learning_rate, total_steps, max(1, warmup) / total_steps)
    return Schedule(options.learning_rate, options.schedule, warmup, total_steps, options.end_learning_rate,
                    options.power)
