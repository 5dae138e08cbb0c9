"""All names of Keras and TensorFlow that are not public; no other file of tfplm uses any.

Each function says which public API is missing. `tests/core/test_keras_internals.py` lists the names, and the versions
in which they were tried.
"""

import inspect
from typing import Any

# Layers and variables


def sublayers(layer) -> list:
    """The layers that `layer` holds directly, each once.

    Missing in Keras: `Layer.layers`; `Model.layers` is public, other layers have no such property.
    """
    return layer._flatten_layers(include_self=False, recursive=False)


def flat_layers(layer) -> list:
    """`layer` and all layers below it, each once. Missing as for `sublayers`."""
    return layer._flatten_layers()


def own_weights(layer) -> tuple[list, list]:
    """The weights that the layer itself holds, made as trainable ones and as others, whether it is frozen or not.

    Missing in Keras: lists of weights without those of the layers below; and `trainable_weights` of a frozen layer is
    empty.
    """
    return layer._trainable_variables, layer._non_trainable_variables


def set_path(variable, path: str) -> None:
    """Changes `variable.path`, a property that Keras lets nobody set once the variable is made."""
    variable._path = path


def shadow(owner, name: str, value) -> None:
    """Sets an attribute of a model, layer or optimizer in its `__dict__`; `unshadow` removes it again.

    For a method that replaces the one of the class, or an object that Keras must not see. Missing in Keras: attributes
    that are not tracked. Its `__setattr__` searches every value for variables and layers.
    """
    vars(owner)[name] = value


def unshadow(owner, name: str) -> None:
    """Removes what `shadow` set, if anything; the attribute of the class is found again."""
    vars(owner).pop(name, None)


def kept(owner, name: str, make):
    """The attribute that an earlier call has set by `shadow`, or else `make()`, which is set now."""
    if name not in vars(owner):
        shadow(owner, name, make())
    return vars(owner)[name]


# The loop of `Model.fit`: it tells a callback nothing about its data, and starts at the begin of an epoch only
#
#     epoch_iterator = TFEpochIterator(...)
#     self._maybe_symbolic_build(iterator=epoch_iterator)
#     callbacks.on_train_begin()
#     for epoch in range(self._initial_epoch or initial_epoch, epochs):
#         for begin_step, end_step, iterator in epoch_iterator: ...


def fit_frame(frame):
    """The frame of Keras' `fit` at or below this one on the stack, or None. Missing as for `local_of_fit`."""
    while frame is not None and not (frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals):
        frame = frame.f_back
    return frame


def local_of_fit(name: str):
    """The local variable of the `fit` that is calling us; raises RuntimeError outside of Keras' own `fit`.

    Missing in Keras: a callback's access to the iterator of the data (`epoch_iterator`), to the other callbacks
    (`callbacks`) and to the epoch at which training starts (`initial_epoch`).
    """
    frame = fit_frame(inspect.currentframe())
    if frame is None:
        raise RuntimeError("this callback works within Keras' Model.fit of the TensorFlow backend; it was called from "
                           "another loop. Save and restore with tf.train.CheckpointManager there")
    return frame.f_locals[name]


def is_building(frame) -> bool:
    """Whether the code of this frame is called by `fit` or `evaluate` for the shapes of a batch alone.

    Missing in Keras: a way to give `fit` these shapes; it reads a batch from a second iterator of the data.
    """
    while frame is not None and frame.f_code.co_name not in ("fit", "evaluate"):
        if frame.f_code.co_name == "_maybe_symbolic_build":
            return True
        frame = frame.f_back
    return False


def build_for_fit(model, epoch_iterator, to_spec) -> None:
    """Builds model, metrics, loss and optimizer as the first batch would; `to_spec(dataset)` gives its shapes.

    Missing in Keras: `Model.build` makes neither the metrics' nor the loss' state.
    """
    model._symbolic_build(data_batch=to_spec(epoch_iterator._distributed_dataset))


def start_fit_at(model, epoch: int | None) -> None:
    """In `on_train_begin`: the running `fit` starts at this epoch (from 0); None: later ones start where they are told.

    Missing in Keras: a callback cannot change `initial_epoch`.
    """
    model._initial_epoch = epoch


def read_next_epoch_by(epoch_iterator, enumerate_batches) -> None:
    """The next epoch of `fit` runs over `enumerate_batches(original)`; those after it over `original()` as always.

    Both yield `(first step, last step, iterator of the batches)`. Missing in Keras: a start within an epoch.
    """
    original = epoch_iterator._enumerate_iterator

    def once():
        del epoch_iterator._enumerate_iterator  # the method of the class comes back
        return enumerate_batches(original)

    epoch_iterator._enumerate_iterator = once


def reads_same_dataset(epoch_iterator) -> bool:
    """Whether every epoch reads a `tf.data.Dataset` of a known number of batches from its start."""
    return (type(epoch_iterator.data_adapter).__name__ == "TFDatasetAdapter"
            and epoch_iterator.steps_per_epoch is None and bool(epoch_iterator.num_batches))


# tf.distribute and XLA


def replica_spec(spec):
    """The `tf.TensorSpec` of the first replica's part, of an element of `DistributedDataset.element_spec`.

    Missing in TensorFlow: `PerReplicaSpec` is public by no name, and has no property for its parts.
    """
    return getattr(spec, "_value_specs", [spec])[0]


def optimization_barrier(tensors: list) -> list:
    """The same tensors, behind a barrier over which XLA moves no operation.

    Missing in TensorFlow: `XlaOptimizationBarrier` is not in `tf.raw_ops`.
    """
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    return gen_xla_ops.xla_optimization_barrier(tensors)


# Optimizers: `apply` sums the gradients of replicas after clipping, and offers subclasses nothing between the filtered
# gradients of a replica and the update of single variables


def batch_counter(optimizer):
    """The variable that counts the calls of `apply`.

    Missing in Keras: `iterations` is public, but divided by `gradient_accumulation_steps`.
    """
    return optimizer._iterations


def trained_variables(optimizer) -> list:
    """The variables that the optimizer was built for. Missing in Keras: `variables` are those of its state."""
    return optimizer._trainable_variables


def index_of(optimizer, variable) -> int:
    """The position of a variable among `trained_variables`. Missing in Keras, as these are."""
    return optimizer._get_variable_index(variable)


def gradient_store(optimizer, index: int):
    """The variable that accumulates the gradients of variable `index`. Missing: any access to it."""
    return optimizer._accumulated_gradients[index].value


def adam_moments(optimizer, index: int) -> tuple:
    """The first and second moment of variable `index`, of Adam and its kin. Missing: any access by variable."""
    return optimizer._momentums[index].value, optimizer._velocities[index].value


def may_decay(optimizer, variable) -> bool:
    """False for what `exclude_from_weight_decay` excluded. Missing in Keras: a getter beside that setter."""
    return optimizer._use_weight_decay(variable)


def average_weights(optimizer) -> None:
    """Updates the moving averages of `use_ema`. Missing in Keras: only its own `apply` does it."""
    optimizer._update_model_variables_moving_average(trained_variables(optimizer))


def use_averages(optimizer) -> None:
    """Overwrites the weights with their moving averages. Missing in Keras: `finalize_variable_values` asks `use_ema`
    alone, and works outside of a compiled step only."""
    optimizer._overwrite_model_variables_with_average_value(trained_variables(optimizer))


def merge_call(optimizer, function, *arguments) -> None:
    """`function(strategy, *arguments)` once for all replicas, or in each where the optimizer's strategy wants that.

    Missing in TensorFlow: `ReplicaContext.merge_call` always merges; several processes and NCCL do not allow it within
    a compiled step. Missing in Keras: the strategy in which the optimizer was made.
    """
    import tensorflow as tf

    tf.__internal__.distribute.interim.maybe_merge_call(function, optimizer._distribution_strategy, *arguments)


class OptimizerHooks:
    """Mixin, left of a Keras optimizer, that replaces two of its methods: a subclass writes `apply_unscaled`.

    A schedule is called with the number of updates, where Keras counts the batches that are accumulated as well.
    """

    iterations: Any
    _learning_rate: Any

    def apply_unscaled(self, grads: list, variables: list) -> None:
        """Updates the variables by a replica's gradients (no None); called by `apply`, which counts and constrains."""
        raise NotImplementedError

    def _backend_apply_gradients(self, grads, trainable_variables):
        self.apply_unscaled(grads, trainable_variables)

    def _get_current_learning_rate(self):
        import keras

        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()  # type: ignore[misc]  # the optimizer's, right of the mixin


def before_clipping(optimizer, observe) -> None:
    """From now on `observe(gradients)` is called with what the optimizer is about to clip.

    Missing in Keras: `apply` hands nobody the gradients that it has accumulated and divided by the loss scale.
    """
    clip = type(optimizer)._clip_gradients
    shadow(optimizer, "_clip_gradients", lambda grads: (observe(grads), clip(optimizer, grads))[1])


def after_reduction(optimizer, observe) -> None:
    """From now on `observe(gradients)` is called with the sums over the replicas. Missing as for `before_clipping`."""
    reduce = type(optimizer)._all_reduce_sum_gradients

    def observed(pairs):
        reduced = reduce(optimizer, pairs)
        observe([gradient for gradient, _ in reduced])
        return reduced

    shadow(optimizer, "_all_reduce_sum_gradients", observed)
