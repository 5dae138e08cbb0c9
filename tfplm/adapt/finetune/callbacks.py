"""Fine-tuning callbacks: scores on the development set, and the best weights."""

import os
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfplm.adapt.finetune.inference import Inference
from tfplm.adapt.tasks.task import Task
from tfplm.core.files import replacing
from tfplm.models.pretrained.weights import named_variables
from tfplm.summaries import create_writer
from tfplm.training.loop.distribute import is_chief


class Evaluation(keras.callbacks.Callback):
    """Computes the task's scores on the development set at the end of each epoch, and images of them.

    The main scores (`task.shown`) are added to the logs as `val_NAME`, for callbacks that come after this one
    (EarlyStopping, `BestWeights`, SummaryCallback); the others are written to TensorBoard under `scores/`.
    """

    def __init__(self, task: Task, examples: list, features: list[dict], inference: Inference, log_dir=None,
                 model: keras.Model | None = None):
        super().__init__()
        self.task, self.examples, self.features, self.inference = task, examples, features, inference
        self.log_dir, self.pretrained = log_dir, model

    def predictions(self) -> list[dict]:
        """The predictions for the development set with the current weights."""
        return self.task.predict(self.pretrained or self.model, self.examples, self.inference, self.features)

    def on_epoch_end(self, epoch, logs=None):
        predictions = self.predictions()
        scores = self.task.score(predictions, self.examples)
        logs.update({f"val_{name}": float(scores[name]) for name in self.task.shown})
        if self.log_dir is not None and is_chief():
            writer = create_writer(Path(self.log_dir) / "validation", self.model.distribute_strategy)
            with writer.as_default(int(tf.convert_to_tensor(self.model.optimizer.iterations))):
                for name in scores.keys() - set(self.task.shown):
                    tf.summary.scalar(f"scores/{name}", scores[name])
                for tag, picture in self.task.pictures(predictions, self.examples).items():
                    tf.summary.image(tag, picture[None])
            writer.close()


class BestWeights(keras.callbacks.Callback):
    """Saves the weights of the epoch with the largest `monitor` to a file, where a resumed training finds them.

    `restore` reads them back. Unlike Keras' ModelCheckpoint, it does not leave an incomplete file when it is killed.
    """

    def __init__(self, path: str | os.PathLike, monitor: str, model: keras.Model):
        super().__init__()
        self.path, self.monitor, self.pretrained, self.best = Path(path), monitor, model, None

    def on_epoch_end(self, epoch, logs=None):
        score = (logs or {}).get(self.monitor)
        if score is None:
            raise ValueError(f"the logs have {', '.join(logs or {}) or 'no keys'}, but not {self.monitor}: place a "
                             "callback that adds it before BestWeights, or monitor another score")
        if np.isfinite(score) and (self.best is None or score > self.best):
            self.best = float(score)
            if is_chief():
                with replacing(self.path) as temporary, open(temporary, "wb") as file:
                    np.savez(file, **{path: keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
                                      for path, variable in named_variables(self.pretrained).items()})

    def restore(self) -> None:
        """Loads the weights of the best epoch, if there is one."""
        if self.path.is_file():
            with np.load(self.path, allow_pickle=False) as file:
                for path, variable in named_variables(self.pretrained).items():
                    variable.assign(file[path])
