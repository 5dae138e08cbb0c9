"""A Keras callback that writes all kinds of summaries during `fit`."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from tfplm.summaries.attention import attention_images
from tfplm.summaries.first_step import FirstStep
from tfplm.summaries.graph import function_graph, layer_graph
from tfplm.summaries.histograms import histogram
from tfplm.summaries.intervals import IntervalMetrics, Throughput, scalars_of
from tfplm.summaries.names import variable_paths
from tfplm.summaries.probe import Probe
from tfplm.summaries.projector import Embedding, write_projector
from tfplm.summaries.recorders import gradient_norm_of, innermost, token_counter_of
from tfplm.summaries.text import text_samples
from tfplm.summaries.writers import create_writer, writes_summaries

MOST = 50  # steps between two points of the curves, by default
POINTS = 20  # points that a short training has
AT_THE_END = ("attentions", "projector", "samples")


@dataclasses.dataclass(frozen=True)
class Every:
    """Writing intervals in training steps; 0 means never.

    scalars: `loss` and metrics; `optimizer/learning_rate`, `optimizer/gradient_norm`; `speed/steps_per_second`,
        `speed/examples_per_second`, `speed/tokens_per_second`. None: 50, or a twentieth of the steps of a short
        training.
    weights: a histogram of every trainable variable, `weights/PATH`.
    activations, gradients: histograms on the probe batch, `activations/LAYER` and `gradients/PATH`.
    attentions: images on the probe batch, `attention/layer_0/heads`.
    projector: the files of the embedding projector.
    samples: text samples.

    Attention images, projector and samples are also written at the end of each training, however short it is.
    """

    scalars: int | None = None
    weights: int = 500
    activations: int = 0
    gradients: int = 0
    attentions: int = 0
    projector: int = 0
    samples: int = 0


@dataclasses.dataclass
class Look:
    """Data and functions for the summaries that need more than the training itself.

    probe: a batch `x`, `(x, y)` or `(x, y, sample_weight)`, or a dataset whose first batch is used; fixed for the run.
    tokens: the tokens of the probe's first example, for the axes of attention images.
    attentions: keyword arguments of `attention_images`, such as `{"layers": [-1], "heads": [0, 1]}`.
    layers: a regular expression; only variables and layers with a match in their path get histograms.
    projector: `function(model) -> {name: Embedding}`.
    samples: `function(model) -> text, texts or rows of text`, as in `text_samples`.
    """

    probe: object = None
    tokens: list[str] | None = None
    attentions: dict = dataclasses.field(default_factory=dict)
    layers: str = ""
    projector: Callable[[keras.Model], dict[str, Embedding]] | None = None
    samples: Callable[[keras.Model], object] | None = None


class SummaryCallback(keras.callbacks.Callback):
    """Writes TensorBoard summaries during the training of any Keras model.

        model.fit(..., callbacks=[SummaryCallback("logs/mine")])

    Training is written to `log_dir/train`, validation to `log_dir/validation`, with the same tags, so that TensorBoard
    overlays their curves; `evaluate` alone also writes to `log_dir/validation`. Steps are the
    optimizer's iterations, so a resumed training continues its curves. The loss and averaged metrics cover the steps
    since the last point, not since the start of the epoch. Each point is on disk when the next step starts, so Ctrl-C
    and kill lose nothing. In a strategy only the chief writes. If the first step takes more than 5 seconds, a line on
    standard error says that it is compiled.

    Args:
        log_dir: the folder of the two writers.
        every: the intervals, an `Every` or a dict of its fields.
        look: probe batch, filters and functions, a `Look` or a dict of its fields.
        graph: writes the graph at the start: of layers for functional models, and of operations with a probe.
        gradient_norm, tokens: records these inside the compiled step; False leaves the step unchanged.

    Raises ValueError for an interval that is no number of steps, or needs a probe or function that was not given.
    """

    def __init__(self, log_dir, every: Every | dict | None = None, look: Look | dict | None = None, *,
                 graph: bool = True, gradient_norm: bool = True, tokens: bool = True):
        super().__init__()
        self.log_dir = Path(log_dir)
        self.every = Every(**every) if isinstance(every, dict) else every or Every()
        self.look = Look(**look) if isinstance(look, dict) else look or Look()
        self.graph, self.gradient_norm, self.tokens = graph, gradient_norm, tokens
        self._check()
        self._norm = self._counter = self._validation_writer = self._last = None
        self._first_step = FirstStep()

    def _check(self) -> None:
        for interval, steps in vars(self.every).items():
            if steps is not None and (not isinstance(steps, int) or steps < 0):
                raise ValueError(f"SummaryCallback: every {interval}={steps!r}; expected a number of steps, or 0 for never: "
                                 "change it")
        for interval, needed in (("activations", "probe"), ("gradients", "probe"), ("attentions", "probe"),
                                ("projector", "projector"), ("samples", "samples")):
            if getattr(self.every, interval) and getattr(self.look, needed) is None:
                raise ValueError(f"SummaryCallback: every {interval}={getattr(self.every, interval)} needs "
                                 f"look={{'{needed}': ...}}, which was not given")

    def set_model(self, model) -> None:
        # called before `fit` compiles the step
        super().set_model(model)
        self._norm = self._counter = self._validation_writer = self._last = None
        self._training = False
        if getattr(model, "optimizer", None) is not None and self.every.scalars != 0:
            self._norm = gradient_norm_of(model, self.every.scalars or MOST) if self.gradient_norm else None
            self._counter = token_counter_of(model) if self.tokens else None

    def on_train_begin(self, logs=None) -> None:
        strategy = self.model.distribute_strategy
        self._chief = writes_summaries(strategy)
        self._writer, self._validation_writer = create_writer(self.log_dir / "train", strategy), None
        self._metrics, self._throughput = IntervalMetrics(self.model), Throughput()
        self._probe = None if self.look.probe is None else Probe(self.model, self.look.probe)
        self._base = self._last = None
        self._training, self._written = True, {}
        self._intervals = self._resolved()
        if self._norm is not None:
            self._norm.every.assign(self._intervals["scalars"])
        if self.graph:
            model = getattr(self.model, "inner", self.model)  # of a model that only trains it
            with self._writer.as_default():
                layer_graph(model)
                if self._probe is not None:
                    function_graph(Probe(model, self.look.probe).call)

    def _resolved(self) -> dict[str, int]:
        """The intervals, with a number for that of scalars."""
        intervals = dict(vars(self.every))
        if self.every.scalars is None:
            accumulated = innermost(self.model.optimizer).gradient_accumulation_steps or 1
            steps = (self.params.get("steps") or 0) * (self.params.get("epochs") or 1) // accumulated
            intervals["scalars"] = max(1, min(MOST, steps // POINTS)) if self.params.get("steps") else MOST
        return intervals

    def on_epoch_begin(self, epoch, logs=None) -> None:
        self._metrics.start_epoch()
        self._base = None

    def on_train_batch_begin(self, batch, logs=None) -> None:
        # the start of a step, not its end: Keras calls this in the main thread, between two steps, without waiting for
        # the logs of the previous one
        accumulated = innermost(self.model.optimizer).gradient_accumulation_steps or 1
        if self._base is None:
            self._base = self._updates() * accumulated - batch
        step = (self._base + batch) // accumulated
        if self._last is None:
            self._last = step
            if self._chief:
                self._first_step.start()
            self._metrics.skip()  # in a resumed epoch they have values already
            if self.every.weights and self._chief:
                with self._writer.as_default(step):
                    self._write_weights(step)
        else:
            self._first_step.stop()
            if self._throughput.counts is None:  # not from the first step, which includes compilation
                self._throughput.start(**self._counts(step))
        self._write(step)

    def on_test_begin(self, logs=None) -> None:
        self._first_step.stop()
        if self._last is not None:  # the training metrics are about to be reset
            self._write(self._updates())
            self._throughput.pause()

    def on_test_end(self, logs=None) -> None:
        if self._last is not None:
            self._throughput.resume()
        if not self._training:
            self._write_validation(logs or {}, self._updates())
            if self._validation_writer is not None:
                self._validation_writer.close()
            self._validation_writer = None

    def on_epoch_end(self, epoch, logs=None) -> None:
        step = self._updates()
        self._write(step)
        values = {name[4:]: value for name, value in (logs or {}).items() if name.startswith("val_")}
        self._write_validation(values, step)

    def _write_validation(self, values: dict, step: int) -> None:
        if values:
            self._validation_writer = self._validation_writer or create_writer(self.log_dir / "validation",
                                                                               self.model.distribute_strategy)
            with self._validation_writer.as_default(step):
                for name, value in scalars_of(values).items():
                    tf.summary.scalar(name, value)
            self._validation_writer.flush()

    def on_train_end(self, logs=None) -> None:
        self._first_step.stop()
        if self._last is not None:  # a step has run
            step = self._updates()
            self._write_now([name for name in AT_THE_END if self._written.get(name) != step], step)
        self._last, self._training = None, False
        for writer in (self._writer, self._validation_writer):
            if writer is not None:
                writer.close()

    def _updates(self) -> int:
        optimizer = getattr(self.model, "optimizer", None)
        return 0 if optimizer is None else int(tf.convert_to_tensor(optimizer.iterations))

    def _counts(self, step: int) -> dict[str, int]:
        counts = {"steps": step, "examples": self._metrics.examples()}
        if self._counter is not None:
            counts["tokens"] = int(self._counter.total.numpy())
        return counts

    def _write(self, step: int) -> None:
        """Writes everything that is due after the previous step, up to and including this one."""
        last, self._last = step if self._last is None else self._last, step  # None: the epoch has no step left
        due = [name for name, every in self._intervals.items() if every and last // every < step // every]
        self._write_now(due, step)

    def _write_now(self, names: list[str], step: int) -> None:
        """Writes these kinds of summaries, if they are wanted."""
        due = [name for name in names if self._intervals[name]]
        if not due:
            return
        self._written |= dict.fromkeys(due, step)
        with self._writer.as_default(step):
            for name in due:
                if self._chief or name == "scalars":  # reading the replicas' values needs all workers
                    getattr(self, f"_write_{name}")(step)
        self._writer.flush()

    def _write_scalars(self, step: int) -> None:
        values = self._metrics.values()
        values["optimizer/learning_rate"] = float(tf.convert_to_tensor(self.model.optimizer.learning_rate))
        values |= {f"speed/{name}": rate for name, rate in self._throughput.rates(**self._counts(step)).items()}
        if self._norm is not None:
            values["optimizer/gradient_norm"] = float(self._norm.value.numpy())
        for name, value in values.items():
            tf.summary.scalar(name, value)

    def _write_histograms(self, name: str, tensors: dict) -> None:
        for path, tensor in tensors.items():
            if re.search(self.look.layers, path):
                histogram(f"{name}/{path}", tensor)

    def _write_weights(self, step: int) -> None:
        variables = variable_paths(self.model)
        self._write_histograms("weights", {path: variable.value for path, variable in variables.items()})

    def _write_activations(self, step: int) -> None:
        self._write_histograms("activations", self._probe.activations())

    def _write_gradients(self, step: int) -> None:
        self._write_histograms("gradients", self._probe.gradients())

    def _write_attentions(self, step: int) -> None:
        attention_images("attention", self._probe.attentions(), tokens=self.look.tokens, **self.look.attentions)

    def _write_projector(self, step: int) -> None:
        write_projector(self.log_dir / "train", self.look.projector(self.model))

    def _write_samples(self, step: int) -> None:
        text_samples("samples", self.look.samples(self.model))
