"""Images of a model's inputs."""

import math

import tensorflow as tf

_ROUNDING = 1e-3  # beyond 0 and 1, after computations in low precision


def input_images(name: str, images, step=None, max_outputs: int = 10) -> None:
    """Writes the first `max_outputs` images of a batch under `name`.

    Args:
        images: a batch `[B, H, W, C]` (C is 1, 3 or 4), `[B, H, W]`, or `[B, N]` with N a square number: flattened grey
            images, such as MNIST's 784 pixels; or one image `[H, W, C]`. Integers of any type are pixels from 0 to 255,
            floats of any type are from 0 to 1, and booleans are black and white.

    Raises ValueError for any other shape, dtype or value (in a graph `tf.errors.InvalidArgumentError` for the values).
    """
    images = _as_batch(name, tf.convert_to_tensor(images))[:max_outputs]
    if tf.executing_eagerly() and not tf.summary.should_record_summaries():
        return
    tf.summary.image(name, _as_pixels(name, images), step, max_outputs)


def _as_batch(name: str, images: tf.Tensor) -> tf.Tensor:
    """`[B, H, W, C]`."""
    shape = images.shape
    rows, columns = (*shape, None, None)[:2] if shape.rank is not None else (None, None)
    if shape.rank == 2 and columns is not None and rows != columns and math.isqrt(columns) ** 2 == columns:
        side = math.isqrt(columns)
        images = tf.reshape(images, [-1, side, side, 1])
    elif shape.rank == 3:
        images = images[tf.newaxis] if shape[-1] in (1, 3, 4) else images[..., tf.newaxis]
    elif shape.rank != 4 or shape[-1] not in (1, 3, 4):
        raise ValueError(f"{name}: images have the shape {shape}; expected [B, H, W, C] with C 1, 3 or 4, "
                         "[B, H, W], or [B, N] with N a square number: one image is image[None]")
    if 0 in images.shape[1:]:
        raise ValueError(f"{name}: images have the shape {shape}, without a pixel; expected at least one: omit them")
    return images


def _as_pixels(name: str, images: tf.Tensor) -> tf.Tensor:
    """uint8, or float32 from 0 to 1."""
    dtype = images.dtype
    if dtype == tf.bool:
        return tf.cast(images, tf.uint8) * 255
    if dtype.is_integer:
        return tf.cast(_within(name, images, 0, 255), tf.uint8)
    if dtype.is_floating:
        return tf.clip_by_value(tf.cast(_within(name, images, -_ROUNDING, 1 + _ROUNDING), tf.float32), 0, 1)
    raise ValueError(f"{name}: images have the dtype {dtype.name}; expected integers from 0 to 255, floats from 0 to 1, "
                     "or booleans: convert them")


def _within(name: str, images: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """The images, after a check of their values."""
    if images.dtype == tf.uint8:
        return images
    values = tf.cast(images, tf.float64)
    right = tf.reduce_all((values >= low) & (values <= high))  # False for NaN
    advice = "divide them by 255" if images.dtype.is_floating else "scale them, or convert them to floats from 0 to 1"
    message = (f"{name}: images of dtype {images.dtype.name} have values from {{}} to {{}}; expected "
               f"{'0 to 1' if images.dtype.is_floating else '0 to 255'}: {advice}")
    if not tf.executing_eagerly():
        with tf.control_dependencies([tf.debugging.Assert(right, [message, images])]):
            return tf.identity(images)
    if not right:
        if not tf.reduce_all(tf.math.is_finite(values)):
            raise ValueError(f"{name}: images contain NaN or infinite values; expected 0 to 1: clean them")
        raise ValueError(message.format(f"{float(tf.reduce_min(values)):g}", f"{float(tf.reduce_max(values)):g}"))
    return images
