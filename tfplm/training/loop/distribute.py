"""Distribution strategies by name: one device, mirrored devices of this machine, or several machines.

    strategy = strategy_for("mirrored")
    with strategy.scope():
        model = ...
        model.compile(...)
    model.fit(dataset)          # the batches of the dataset are the global ones; they are divided among the replicas
"""

import inspect
import json
import os

import keras
import tensorflow as tf

from tfplm.core.keras_internals import is_building, replica_spec

NAMES = ("auto", "one", "mirrored", "multi_worker")


class _Fit:
    """Mixin with the additions to TensorFlow's strategies that Keras' `fit` needs."""

    batch_shares = None  # replica -> tensor, while a train step is traced

    def reduce(self, reduce_op, value, axis):
        """`tf.distribute.Strategy.reduce`, also for scalars: `fit` reduces the logs of a step along an axis."""
        if axis is not None and self.experimental_local_results(value)[0].shape.rank == 0:
            axis = None
        return super().reduce(reduce_op, value, axis)

    def experimental_distribute_dataset(self, dataset, options=None):
        """Divides each global batch among the replicas, so that a step has the same examples as on one device.

        A policy set by the options of the dataset is kept (`OFF`: every worker has a separate dataset of its batches).
        """
        chosen = dataset.options().experimental_distribute.auto_shard_policy
        if chosen == tf.data.experimental.AutoShardPolicy.AUTO:
            extra = tf.data.Options()
            extra.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
            dataset = dataset.with_options(extra)
        distributed = super().experimental_distribute_dataset(dataset, options)
        kind = type("DistributedDataset", (_ShapesForBuilding, type(distributed)), {})
        shaped = kind.__new__(kind)
        vars(shaped).update(vars(distributed))
        return shaped

    def run(self, fn, args=(), kwargs=None, options=None):
        """`tf.distribute.Strategy.run`, which for Keras' train step also records each replica's share of the batch."""
        if getattr(fn, "__name__", "") != "train_step" or not isinstance(getattr(fn, "__self__", None), keras.Model):
            return super().run(fn, args, kwargs, options)

        @tf.autograph.experimental.do_not_convert
        def step(data):
            context = tf.distribute.get_replica_context()
            count = tf.cast(tf.shape(tf.nest.flatten(data)[0])[0], tf.float32)
            whole = context.all_reduce(tf.distribute.ReduceOp.SUM, count)
            share = tf.math.divide_no_nan(count * self.num_replicas_in_sync, whole)
            self.batch_shares[_replica(context)] = share
            return fn(data)

        self.batch_shares = {}
        try:
            return super().run(step, args, kwargs, options)
        finally:
            self.batch_shares = None


class _ShapesForBuilding:
    """Mixin of a distributed dataset with which `fit` builds the model from the shapes of a batch, without reading one.

    By default `fit` reads a batch from a separate iterator: several workers cannot derive shapes from it, and a
    shuffled dataset would have a different order in the second iterator, the one used for training, than on one device.
    """

    def __iter__(self):
        if is_building(inspect.currentframe().f_back):
            return iter([batch_spec(self)])
        return super().__iter__()


def batch_spec(dataset):
    """The shapes and types (`tf.TensorSpec`) of a batch on one replica."""
    return tf.nest.map_structure(replica_spec, dataset.element_spec)


class Mirrored(_Fit, tf.distribute.MirroredStrategy):
    """`tf.distribute.MirroredStrategy` for Keras' `fit`."""


class MultiWorker(_Fit, tf.distribute.MultiWorkerMirroredStrategy):
    """`tf.distribute.MultiWorkerMirroredStrategy` for Keras' `fit`."""


def _replica(context) -> int:
    return int(tf.get_static_value(context.replica_id_in_sync_group))


def batch_share() -> tf.Tensor | None:
    """In the train step of a replica: its examples x replicas / all examples of the step, 1 for an even division.

    Keras' loss is the mean over the examples of a replica divided by the number of replicas; the sum over the replicas
    of gradients times this share is the gradient of the mean over all examples. None without distribution.
    """
    context = tf.distribute.get_replica_context()
    shares = getattr(context.strategy, "batch_shares", None) if context else None
    return shares.get(_replica(context)) if shares else None


def strategy_for(name: str = "auto", devices: list[str] | None = None, workers: list[str] | None = None,
                 index: int | None = None) -> tf.distribute.Strategy:
    """The strategy with this name. Build and compile the model in `strategy.scope()`, then call `fit` as usual.

    Args:
        name: "one" device; "mirrored" on the GPUs (or `devices`) of this machine; "multi_worker", one process per
            machine; "auto": multi_worker if TF_CONFIG has several workers, mirrored if there are several GPUs,
            otherwise one.
        devices: logical devices for mirroring, such as `["GPU:0", "GPU:2"]`.
        workers: "host:port" of every worker, the same list in each process; sets TF_CONFIG, together with `index`.
            Without it TF_CONFIG must be set.
        index: index of this process in `workers`.

    Every worker must read the same data in the same order: seed the shuffling (`keras.utils.set_random_seed`).

    Raises ValueError for an unknown name, or a missing description of the cluster.
    """
    if name not in NAMES:
        raise ValueError(f"strategy is {name!r}; expected one of {', '.join(NAMES)}")
    if workers is not None:
        _describe_cluster(workers, index)
    several = len(_cluster()) > 1
    if name == "multi_worker" or (name == "auto" and several):
        if not _cluster():
            raise ValueError("there are neither TF_CONFIG nor workers; multi_worker needs TF_CONFIG, or "
                             "workers=['host:port', ...] and index=0")
        return MultiWorker()
    devices = devices or [device.name for device in tf.config.list_logical_devices("GPU")]
    if name == "mirrored" or (name == "auto" and len(devices) > 1):
        return _mirrored(devices)
    return tf.distribute.get_strategy()


def _mirrored(devices: list[str]) -> Mirrored:
    if any("GPU" in device.upper() for device in devices):
        return Mirrored(devices)
    # TensorFlow's collectives on CPUs cannot add sparse gradients of different lengths
    devices = devices or [device.name for device in tf.config.list_logical_devices("CPU")]
    return Mirrored(devices, cross_device_ops=tf.distribute.ReductionToOneDevice())


def _describe_cluster(workers: list[str], index: int | None) -> None:
    if index is None or not 0 <= index < len(workers):
        raise ValueError(f"index is {index}; expected the index of one of the {len(workers)} workers, from 0")
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}})


def _cluster() -> list[str]:
    """The addresses of all training processes, from TF_CONFIG."""
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    return [address for task in ("chief", "worker") for address in cluster.get(task, [])]


def is_chief() -> bool:
    """Returns True in the process that writes checkpoints, event files and results: the first or the only one."""
    config = json.loads(os.environ.get("TF_CONFIG") or "{}")
    task = config.get("task", {})
    if not config.get("cluster") or task.get("type") in ("chief", "master", None):
        return True
    return task["type"] == "worker" and int(task["index"]) == 0 and "chief" not in config["cluster"]
