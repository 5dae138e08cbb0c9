"""Private names of Keras and TensorFlow, which no other file of tfplm uses.

Each function states which public API is missing. `tests/core/test_keras_internals.py` lists the names, and the
versions with which they were tested.
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
    """`layer` and all layers below it, each once. Missing in Keras: the same as for `sublayers`."""
    return layer._flatten_layers()


def own_weights(layer) -> tuple[list, list]:
    """The layer's direct weights, without those of its sublayers: (created as trainable, created as non-trainable).

    Freezing the layer does not change the two lists. Missing in Keras: lists without the weights of sublayers; also,
    `trainable_weights` of a frozen layer is empty.
    """
    return layer._trainable_variables, layer._non_trainable_variables


def set_trainable(layer, value: bool) -> None:
    """Sets `layer.trainable` without changing the layers below it. Missing in Keras: its setter changes them, too."""
    layer._trainable = value


def show_shape(layer) -> None:
    """Makes `Model.summary` show `layer.output_shape`. Missing in Keras: shapes of layers built in their constructor."""
    if not layer._build_shapes_dict:
        layer._build_shapes_dict = {"input_shape": layer.output_shape}


def is_written_as_h5() -> bool:
    """Returns True if the running `get_config` is for the legacy format `.h5`.

    Missing in Keras: `get_config` gets no format, and a layer inside of another model is not asked to `save`.
    """
    from keras.src.backend.common import global_state

    return bool(global_state.get_global_attribute("use_legacy_config"))


def set_path(variable, path: str) -> None:
    """Changes `variable.path`. Missing in Keras: a setter of this property."""
    variable._path = path


def shadow(owner, name: str, value) -> None:
    """Sets an attribute of a model, layer or optimizer in its `__dict__`; `unshadow` removes it again.

    Used for a method that replaces the one of the class, and for objects that Keras must not track. Missing in Keras:
    untracked attributes; its `__setattr__` searches every value for variables and layers.
    """
    vars(owner)[name] = value


def unshadow(owner, name: str) -> None:
    """Removes an attribute set by `shadow`, if there is one; then the attribute of the class is visible again."""
    vars(owner).pop(name, None)


def kept(owner, name: str, make):
    """The attribute that an earlier call set by `shadow`; the first call sets it to `make()`."""
    if name not in vars(owner):
        shadow(owner, name, make())
    return vars(owner)[name]


# The loop of `Model.fit`: it gives a callback no access to the data, and can only start at the start of an epoch
#
#     epoch_iterator = TFEpochIterator(...)
#     self._maybe_symbolic_build(iterator=epoch_iterator)
#     callbacks.on_train_begin()
#     for epoch in range(self._initial_epoch or initial_epoch, epochs):
#         for begin_step, end_step, iterator in epoch_iterator: ...


def fit_frame(frame):
    """The nearest frame of Keras' `fit`, from this frame outwards, or None. Missing: the same as for `local_of_fit`."""
    while frame is not None and not (frame.f_code.co_name == "fit" and "epoch_iterator" in frame.f_locals):
        frame = frame.f_back
    return frame


def local_of_fit(name: str):
    """The local variable `name` of the `fit` that is calling; raises RuntimeError outside of Keras' own `fit`.

    Missing in Keras: a callback's access to the iterator of the data (`epoch_iterator`), to the other callbacks
    (`callbacks`) and to the epoch at which training starts (`initial_epoch`).
    """
    frame = fit_frame(inspect.currentframe())
    if frame is None:
        raise RuntimeError("this callback works within Keras' Model.fit of the TensorFlow backend; it was called from "
                           "another loop. Save and restore with tf.train.CheckpointManager there")
    return frame.f_locals[name]


def is_building(frame) -> bool:
    """Returns True if `fit` or `evaluate` runs the code of this frame only to find the shapes of a batch.

    Missing in Keras: a way to pass these shapes to `fit`; it reads a batch from a second iterator of the data.
    """
    while frame is not None and frame.f_code.co_name not in ("fit", "evaluate"):
        if frame.f_code.co_name == "_maybe_symbolic_build":
            return True
        frame = frame.f_back
    return False


def build_for_fit(model, epoch_iterator, to_spec) -> None:
    """Builds model, metrics, loss and optimizer as the first batch would; `to_spec(dataset)` returns its shapes.

    Missing in Keras: `Model.build` creates the state of neither the metrics nor the loss.
    """
    model._symbolic_build(data_batch=to_spec(epoch_iterator._distributed_dataset))


def start_fit_at(model, epoch: int | None) -> None:
    """Makes the running `fit` start at this epoch (from 0), if called in `on_train_begin`; None resets it.

    After a reset, later calls of `fit` start at their `initial_epoch`. Missing in Keras: a callback cannot change
    `initial_epoch`.
    """
    model._initial_epoch = epoch


def read_next_epoch_by(epoch_iterator, enumerate_batches) -> None:
    """Makes the next epoch of `fit` iterate over `enumerate_batches(original)`; later epochs use `original()` again.

    Both yield `(first step, last step, iterator of the batches)`. Missing in Keras: a start within an epoch.
    """
    original = epoch_iterator._enumerate_iterator

    def once():
        del epoch_iterator._enumerate_iterator  # the method of the class is visible again
        return enumerate_batches(original)

    epoch_iterator._enumerate_iterator = once


def reads_same_dataset(epoch_iterator) -> bool:
    """Returns True if every epoch reads a `tf.data.Dataset` of a known number of batches from its start."""
    return (type(epoch_iterator.data_adapter).__name__ == "TFDatasetAdapter"
            and epoch_iterator.steps_per_epoch is None and bool(epoch_iterator.num_batches))


# tf.distribute and XLA


def replica_spec(spec):
    """The `tf.TensorSpec` of the first replica, from an element of `DistributedDataset.element_spec`.

    Missing in TensorFlow: `PerReplicaSpec` has no public name, and no property for its parts.
    """
    return getattr(spec, "_value_specs", [spec])[0]


def optimization_barrier(tensors: list) -> list:
    """The same tensors after a barrier, across which XLA moves no operation.

    Missing in TensorFlow: `XlaOptimizationBarrier` is not in `tf.raw_ops`.
    """
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    return gen_xla_ops.xla_optimization_barrier(tensors)


# Optimizers: `apply` sums the gradients of replicas after clipping, and has no hook for subclasses between the
# filtered gradients of a replica and the update of single variables


def batch_counter(optimizer):
    """The variable that counts the calls of `apply`.

    Missing in Keras: `iterations` is public, but divided by `gradient_accumulation_steps`.
    """
    return optimizer._iterations


def trained_variables(optimizer) -> list:
    """The variables that the optimizer was built for. Missing in Keras: `variables` are those of its state."""
    return optimizer._trainable_variables


def index_of(optimizer, variable) -> int:
    """The index of a variable in `trained_variables`. Missing in Keras: the same as for these."""
    return optimizer._get_variable_index(variable)


def gradient_store(optimizer, index: int):
    """The variable that accumulates the gradients of variable `index`. Missing: any access to it."""
    return optimizer._accumulated_gradients[index].value


def adam_moments(optimizer, index: int) -> tuple:
    """The first and second moment of variable `index`, of Adam and its variants. Missing: any access by variable."""
    return optimizer._momentums[index].value, optimizer._velocities[index].value


def may_decay(optimizer, variable) -> bool:
    """Returns False for variables excluded by `exclude_from_weight_decay`. Missing in Keras: a getter for this list."""
    return optimizer._use_weight_decay(variable)


def average_weights(optimizer) -> None:
    """Updates the moving averages of `use_ema`. Missing in Keras: only its own `apply` updates them."""
    optimizer._update_model_variables_moving_average(trained_variables(optimizer))


def use_averages(optimizer) -> None:
    """Overwrites the weights with their moving averages.

    Missing in Keras: `finalize_variable_values` depends on `use_ema` only, and works only outside of a compiled step.
    """
    optimizer._overwrite_model_variables_with_average_value(trained_variables(optimizer))


def merge_call(optimizer, function, *arguments) -> None:
    """Calls `function(strategy, *arguments)` once for all replicas, or in each if the optimizer's strategy needs that.

    Missing in TensorFlow: `ReplicaContext.merge_call` always merges; several processes and NCCL do not allow it within
    a compiled step. Missing in Keras: the strategy in which the optimizer was created.
    """
    import tensorflow as tf

    tf.__internal__.distribute.interim.maybe_merge_call(function, optimizer._distribution_strategy, *arguments)


class OptimizerHooks:
    """Mixin that replaces two methods of a Keras optimizer, and stands left of it; subclasses define `apply_unscaled`.

    A schedule is called with the number of updates, where Keras also counts the accumulated batches.
    """

    iterations: Any
    _learning_rate: Any

    def apply_unscaled(self, grads: list, variables: list) -> None:
        """Updates the variables by a replica's gradients, none of them None; called by `apply`.

        `apply` counts the step and applies the constraints.
        """
        raise NotImplementedError

    def _backend_apply_gradients(self, grads, trainable_variables):
        self.apply_unscaled(grads, trainable_variables)

    def _get_current_learning_rate(self):
        import keras

        if isinstance(self._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            return self._learning_rate(self.iterations)
        return super()._get_current_learning_rate()  # type: ignore[misc]  # of the optimizer, right of the mixin


def schedule_of(optimizer):
    """The schedule of an optimizer, None for a constant. Missing in Keras: `learning_rate` is the current number."""
    return optimizer._learning_rate if callable(optimizer._learning_rate) else None


def before_clipping(optimizer, observe) -> None:
    """Makes the optimizer call `observe(gradients)` with the gradients it is about to clip.

    Missing in Keras: access to the gradients that `apply` has accumulated and divided by the loss scale.
    """
    clip = type(optimizer)._clip_gradients
    shadow(optimizer, "_clip_gradients", lambda grads: (observe(grads), clip(optimizer, grads))[1])


def after_reduction(optimizer, observe) -> None:
    """Makes the optimizer call `observe(gradients)` with the sums over the replicas. Missing: as in `before_clipping`."""
    reduce = type(optimizer)._all_reduce_sum_gradients

    def observed(pairs):
        reduced = reduce(optimizer, pairs)
        observe([gradient for gradient, _ in reduced])
        return reduced

    shadow(optimizer, "_all_reduce_sum_gradients", observed)


def with_constants(function):
    """The concrete function with constants in place of its variables. Missing in TensorFlow: this, outside of `tf.lite`."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False)
