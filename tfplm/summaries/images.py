"""Images of a model's inputs."""

import math

import tensorflow as tf


def input_images(name: str, images, step=None, max_outputs: int = 10) -> None:
    """Writes the first `max_outputs` images of a batch under `name`.

    Args:
        images: uint8 in [0, 255] or float in [0, 1], of shape `[B, H, W, C]` (C is 1, 3 or 4), `[B, H, W]`, or
            `[B, N]` with N a square number: flattened grey images, such as MNIST's 784 pixels.

    Raises ValueError for any other shape.
    """
    images = tf.convert_to_tensor(images)
    shape = images.shape
    if shape.rank == 2 and shape[1] is not None and math.isqrt(shape[1]) ** 2 == shape[1]:
        side = math.isqrt(shape[1])
        images = tf.reshape(images, [-1, side, side, 1])
    elif shape.rank == 3:
        images = images[..., tf.newaxis]
    elif shape.rank != 4 or shape[-1] not in (1, 3, 4):
        raise ValueError(f"{name}: images have the shape {shape}; expected [B, H, W, C] with C 1, 3 or 4, "
                         "[B, H, W], or [B, N] with N a square number")
    tf.summary.image(name, images, step, max_outputs)
