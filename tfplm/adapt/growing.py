"""New classes for a model that was fine-tuned before: the old ones keep their weights (incremental learning)."""

import keras
import numpy as np

from tfplm.adapt.tasks.task import Task
from tfplm.models.model import PretrainedModel
from tfplm.models.pretrained import from_config, from_pretrained
from tfplm.models.weights import named_variables


def grown(source, task: Task, dtype=None, **changes) -> PretrainedModel:
    """The model of `source` with the task's labels: weights of labels that it knew are kept, others are fresh.

    Raises ValueError where the task lacks a label that the model knows.
    """
    wanted = list(task.labels.names)
    old = from_pretrained(source, task.head, dtype=dtype,
                          **{name: value for name, value in changes.items() if name != "id2label"})
    known = [old.config.id2label[place] for place in range(old.num_labels)] if old.config.id2label else []
    if known == wanted:
        return old
    if lost := [name for name in known if name not in wanted]:
        raise ValueError(f"{source} knows the labels {', '.join(lost)}, which the task has not: start from the model "
                         "before its fine-tuning, or keep its labels")
    new = from_config(old.config.replace(id2label=dict(enumerate(wanted))), task.head, num_labels=len(wanted),
                      dtype=dtype)
    places, before = [wanted.index(name) for name in known], named_variables(old)
    for path, variable in named_variables(new).items():
        value = keras.ops.convert_to_numpy(keras.ops.cast(before[path], "float32"))
        if value.shape != tuple(variable.shape):
            fresh = np.array(keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32")))
            fresh[np.ix_(*(places if one != other else range(one)
                           for one, other in zip(value.shape, variable.shape)))] = value
            value = fresh
        variable.assign(value)
    return new
