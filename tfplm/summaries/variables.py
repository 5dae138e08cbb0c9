"""`variable_summaries`: the mean, standard deviation, extremes and histogram of a variable or activation; `nn_layer`: a
dense layer that writes them."""

from collections.abc import Callable

import keras
import tensorflow as tf

from tfplm.summaries.histograms import histogram


def variable_summaries(name, value=None, step=None) -> None:
    """Writes `name/mean`, `name/stddev`, `name/max`, `name/min` (scalars) and `name/histogram`.

    With a variable as the only argument, as in the classic TF1 programs, `name` is `summaries`:

        with tf.name_scope("layer1"), tf.name_scope("weights"):
            variable_summaries(kernel)          # layer1/weights/summaries/mean, ...

    Args:
        name: the prefix of the five tags; name scopes are prepended, as in `tf.summary.scalar`.
        value: a variable (TensorFlow or Keras), tensor or array of any shape and any numeric dtype.
        step: the training step; default: that of `tf.summary.experimental.set_step` or `writer.as_default(step)`.

    Writes to the current default writer, if any: eagerly, in a `tf.function`, in a custom loop, or under a strategy.
    `stddev` is that of the population (divided by n).

    Raises TypeError for a name without a value.
    """
    if value is None:
        name, value = "summaries", name
    if isinstance(value, str) or not isinstance(name, str):
        raise TypeError(f"variable_summaries got {value!r} as its value and {type(name).__name__} as its name; expected "
                        "variable_summaries(variable) or variable_summaries(name, variable): add the variable")
    if not _is_recording():
        return
    value = tf.convert_to_tensor(value.value if isinstance(value, keras.Variable) else value)
    if not value.dtype.is_floating or value.dtype.size < 4:
        value = tf.cast(value, tf.float32)
    mean = tf.reduce_mean(value)
    tf.summary.scalar(f"{name}/mean", mean, step)
    tf.summary.scalar(f"{name}/stddev", tf.sqrt(tf.reduce_mean(tf.math.squared_difference(value, mean))), step)
    tf.summary.scalar(f"{name}/max", tf.reduce_max(value), step)
    tf.summary.scalar(f"{name}/min", tf.reduce_min(value), step)
    histogram(f"{name}/histogram", value, step)


def _is_recording() -> bool:
    """Returns False if it is known, also while a function is traced, that nothing will be written."""
    known = tf.get_static_value(tf.summary.should_record_summaries())
    return known is None or bool(known)


@keras.saving.register_keras_serializable("tfplm")
class SummarizedDense(keras.layers.Layer):
    """`act(inputs @ kernel + bias)`: float `[..., input_dim]` -> `[..., output_dim]`.

    A call while a summary writer is recording also writes `variable_summaries` of `SCOPE/weights` and `SCOPE/biases`, and
    the histograms `SCOPE/linear_compute/linear` and `SCOPE/activations`. `scope` is the layer's name, with the name scopes
    in which it was made. The sibling without summaries is `keras.layers.Dense`.
    """

    def __init__(self, input_dim: int, output_dim: int, act: Callable = tf.nn.relu, scope: str | None = None, **keywords):
        super().__init__(**keywords)
        self.input_dim, self.output_dim, self.act = input_dim, output_dim, act
        self.scope = scope or "/".join(filter(None, [tf.get_current_name_scope(), self.name]))
        self.kernel = self.add_weight(shape=(input_dim, output_dim), name="kernel",
                                      initializer=keras.initializers.TruncatedNormal(stddev=0.1))
        self.bias = self.add_weight(shape=(output_dim,), name="bias", initializer=keras.initializers.Constant(0.1))
        self.built = True

    def call(self, inputs):
        linear = tf.matmul(inputs, self.kernel) + self.bias
        activations = self.act(linear)
        if _is_recording():
            # a slash at the end: not within the scope that Keras opens for each call, nor numbered at a second call
            with tf.name_scope(f"{self.scope}/weights/"):
                variable_summaries(self.kernel)
            with tf.name_scope(f"{self.scope}/biases/"):
                variable_summaries(self.bias)
            with tf.name_scope(f"{self.scope}/linear_compute/"):
                histogram("linear", linear)
            with tf.name_scope(f"{self.scope}/"):
                histogram("activations", activations)
        return activations

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.output_dim)

    def get_config(self):
        act = keras.saving.serialize_keras_object(self.act)
        return {**super().get_config(), "input_dim": self.input_dim, "output_dim": self.output_dim, "act": act,
                "scope": self.scope}

    @classmethod
    def from_config(cls, config):
        # Keras does not know TensorFlow's functions; others must be registered
        known = {name: function for name, function in vars(tf.nn).items() if callable(function)}
        act = keras.saving.deserialize_keras_object(config["act"], {**known, "identity": tf.identity})
        return cls(**{**config, "act": act})


def nn_layer(input_tensor, input_dim: int, output_dim: int, layer_name: str, act: Callable = tf.nn.relu):
    """A dense layer with the name, initial values and summaries of the classic TF1 programs; see `SummarizedDense`.

        pixels = keras.Input((784,))
        hidden1 = nn_layer(pixels, 784, 500, "layer1")
        y = nn_layer(keras.layers.Dropout(0.1)(hidden1), 500, 10, "layer2", act=tf.identity)
        model = keras.Model(pixels, y)
        with create_writer("logs/train").as_default(step=0):
            model(images)                       # writes the summaries of both layers

    Args:
        input_tensor: float `[..., input_dim]`: a Keras tensor (`keras.Input`, the output of a layer) to build a model, or
            a tensor of numbers, for which new weights are made at each call.
        act: a function from a tensor to a tensor of the same shape.

    The weights are drawn from a truncated normal distribution with standard deviation 0.1, and the biases are 0.1.
    Returns the activations, float `[..., output_dim]`. Raises ValueError if the inputs are not `input_dim` wide.
    """
    width = input_tensor.shape[-1]
    if width not in (None, input_dim):
        raise ValueError(f"{layer_name} has inputs of the shape {tuple(input_tensor.shape)} and input_dim {input_dim}; "
                         f"expected input_dim {width}, the last axis: change input_dim or the inputs")
    return SummarizedDense(input_dim, output_dim, act, name=layer_name)(input_tensor)
