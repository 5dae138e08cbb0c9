"""One argument for `tf.distribute`: one device, mirrored GPUs, or several machines."""

import tensorflow as tf

NAMES = ("auto", "one", "mirrored", "multi_worker")


def strategy_for(name: str = "auto", devices: list[str] | None = None) -> tf.distribute.Strategy:
    """The strategy of that name; build and compile the model inside `strategy.scope()`, then call `fit` as always."""
    if name == "one" or (name == "auto" and len(tf.config.list_logical_devices("GPU")) < 2):
        return tf.distribute.get_strategy()
    if name in ("auto", "mirrored"):
        return tf.distribute.MirroredStrategy(devices)
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise ValueError(f"strategy is {name!r}; expected one of {', '.join(NAMES)}")


def is_chief(strategy: tf.distribute.Strategy | None = None) -> bool:
    """True in the one process that writes checkpoints, event files and results."""
    resolver = (strategy or tf.distribute.get_strategy()).cluster_resolver
    if resolver is None or not resolver.cluster_spec().as_dict():
        return True
    return resolver.task_type == "chief" or (
        "chief" not in resolver.cluster_spec().as_dict() and resolver.task_type == "worker" and resolver.task_id == 0)
