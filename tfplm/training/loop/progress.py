"""A progress bar for Keras' `fit` and `evaluate`, with throughput."""

import sys
import time
from collections.abc import Callable

import keras
import tensorflow as tf
from tqdm.auto import tqdm

from tfplm.summaries.recorders import token_counter_of
from tfplm.training.loop.callbacks import End
from tfplm.training.loop.distribute import is_chief

BAR = "{desc} |{bar:10}| {n_fmt}/{total_fmt}"
WIDTH = 120  # columns of a bar if the terminal has no size
NOTEBOOK = any("notebook" in base.__module__ for base in tqdm.__mro__)


class Progress(keras.callbacks.Callback):
    """Shows epoch, step, loss and metrics, examples and tokens per second, and remaining time; use it with `verbose=0`.

        epoch 1/3 |██████    | 540/900  loss 0.4321  accuracy 0.8125  310 examples/s  12,400 tokens/s  0:01:10 left

    In a terminal or notebook it is a bar; otherwise (a file, a pipe) plain lines, one at the end of each epoch, and one
    every `interval` seconds in between. Tokens are counted if the batch is a dict with `attention_mask` or `input_ids`.
    With several workers only the chief shows progress.

    Args:
        quiet: show no progress.
        interval: seconds between two plain lines; None for one line per epoch.
        file: the output stream (default: standard error).
        steps: number of steps of the whole training; it counts these instead of epochs: `step 540/2700`.
        end: the callback that stops at a time limit, which the remaining time then respects.
    """

    def __init__(self, quiet: bool = False, interval: float | None = 60.0, file=None, steps: int | None = None,
                 end: End | None = None):
        super().__init__()
        self.quiet, self.interval, self.file, self.steps, self.end, self._before = quiet, interval, file, steps, end, 0
        self._training = self._testing = self._counter = None
        self._test_steps = None  # known after the first validation

    def set_model(self, model):
        super().set_model(model)
        self.quiet = self.quiet or not is_chief()
        if not self.quiet and getattr(model, "optimizer", None) is not None:
            self._counter = token_counter_of(model)

    def on_epoch_begin(self, epoch, logs=None):
        if self.quiet:
            return
        if self.steps:
            self._before = epoch * (self.params.get("steps") or 0)
            self._training = self._line("", self.steps)
        else:
            self._training = self._line(f"epoch {epoch + 1}/{self.params.get('epochs', 1)}", self.params.get("steps"))

    def on_train_batch_end(self, batch, logs=None):
        if self._training:
            if self.steps and self.end is not None:
                self._training.expect(self.end.expected_steps())
            self._training.advance(self._before + batch + 1, logs, self._counts)

    def on_test_begin(self, logs=None):
        if self._training:
            self._training.pause(self._counts)
            self._testing = self._line("  validation", self._test_steps, nested=True)
        elif not self.quiet:
            self._testing = self._line("evaluation", self.params.get("steps"))

    def on_test_batch_end(self, batch, logs=None):
        if self._testing:
            self._testing.advance(batch + 1, logs, self._counts)

    def on_test_end(self, logs=None):
        if self._testing:
            self._test_steps = self._testing.done
            self._testing.close(logs, self._counts)
        if self._training:
            self._training.resume()
        self._testing = None

    def on_epoch_end(self, epoch, logs=None):
        if self._training:
            if not self._training.done:  # of a resumed epoch only the evaluation was left
                self._training.done = min(self._before + (self.params.get("steps") or 0), self._training.total or 0)
            self._training.close(logs, self._counts)
        self._training = None

    def _line(self, title: str, total: int | None, nested: bool = False):
        limit = self.end.seconds_left if self.end and not nested else None
        return Line(title, total, self.file or sys.stderr, self.interval, nested, limit)

    def _counts(self) -> dict[str, float]:
        """The numbers of examples and tokens so far."""
        counts = {}
        if (loss := next((metric for metric in self.model.metrics if metric.name == "loss"), None)) is not None:
            counts["examples"] = self._sum(loss.count)
        if self._counter is not None and not self._testing:
            counts["tokens"] = self._sum(self._counter.total)
        return counts

    def _sum(self, variable) -> float:
        """The sum over the replicas, without communication with other workers, which would have to take part."""
        strategy = self.model.distribute_strategy
        variable = variable.value if isinstance(variable, keras.Variable) else variable
        parts = strategy.experimental_local_results(variable)
        return sum(float(tf.convert_to_tensor(part)) for part in parts) * strategy.num_replicas_in_sync / len(parts)


class Line:
    """A bar, or the plain lines of an epoch."""

    def __init__(self, title: str, total: int | None, stream, interval: float | None, nested: bool,
                 limit: Callable[[], float] | None = None):
        self.title, self.total, self.stream, self.nested, self.limit = title, total, stream, nested, limit
        self.done, self._start, self._paused = 0, None, None
        self._live = NOTEBOOK or stream.isatty()
        self._every = 0.2 if self._live else interval
        self._shown = time.monotonic()
        self._bar = tqdm(total=total, desc=title or "step", file=stream, leave=not nested, dynamic_ncols=True,
                         bar_format=BAR) if self._live else None
        if self._bar is not None and (self._bar.ncols or 0) < 1:  # a terminal without a size, such as a bare pty
            self._bar.dynamic_ncols, self._bar.ncols, self._bar.nrows = None, WIDTH, None

    def expect(self, total: float) -> None:
        """Sets the number of steps, as far as it is known."""
        self.total = max(round(total), 1)
        if self._bar is not None:
            self._bar.total = self.total

    def advance(self, done: int, logs: dict, counts) -> None:
        self.done = min(done, self.total or done)
        now = time.monotonic()
        if self._start is None:  # rates exclude the first step, which compiles, and steps skipped when resuming
            self._start, self._shown = (now, self.done, counts()), now
        elif self._every is not None and now - self._shown >= self._every and not (self.nested and not self._live):
            self._shown = now
            self._show(self._text(logs, self._rates(now, counts()), now))

    def pause(self, counts) -> None:
        self._paused = time.monotonic(), self._rates(time.monotonic(), counts())

    def resume(self) -> None:
        if self._start and self._paused:
            paused = time.monotonic() - self._paused[0]
            self._start = (self._start[0] + paused, *self._start[1:])

    def close(self, logs: dict | None, counts) -> None:
        now = time.monotonic()
        # validation resets the counts of the training
        rates = self._paused[1] if self._paused else self._rates(now, counts())
        if self._live or not self.nested:
            self._show(self._text(logs, rates))
        if self._bar is not None:
            self._bar.close()

    def _rates(self, now: float, counts: dict) -> dict[str, float]:
        if self._start is None or now <= self._start[0]:
            return {}
        start, steps, before = self._start
        rates = {name: (count - before.get(name, 0)) / (now - start) for name, count in counts.items()}
        rates["steps"] = (self.done - steps) / (now - start)
        return {name: rate for name, rate in rates.items() if rate > 0}

    def _text(self, logs: dict | None, rates: dict, now: float | None = None) -> str:
        parts = [f"{name} {float(value):.4g}" for name, value in (logs or {}).items()]
        parts += [f"{rate:,.0f} {name}/s" if rate >= 10 else f"{rate:.2g} {name}/s"
                  for name, rate in rates.items() if name != "steps"]
        if now is not None and self.total and "steps" in rates:
            seconds = (self.total - self.done) / rates["steps"]
            seconds = int(max(0, min(seconds, self.limit()) if self.limit else seconds))
            parts.append(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02} left")
        return "  ".join(parts)

    def _show(self, text: str) -> None:
        if self._bar is None:
            print(f"{self.title}  step {self.done}/{self.total or '?'}  {text}".strip(), file=self.stream, flush=True)
            return
        self._bar.n = self.done
        self._bar.bar_format = f"{BAR}  {text}"  # tqdm's own postfix starts with a comma
        self._bar.refresh()
