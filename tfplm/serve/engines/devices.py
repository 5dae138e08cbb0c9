"""The processors of a worker."""

import logging
import os

from tfplm.options.serve import ServeOptions

log = logging.getLogger("tfplm.serve")


def use_devices(options: ServeOptions, number: int) -> None:
    """The GPU of worker `number`, or none; its share of the CPU's cores."""
    import tensorflow as tf

    try:
        gpus = tf.config.list_physical_devices("GPU")
        if options.cpu:
            tf.config.set_visible_devices([], "GPU")
        elif gpus:
            wanted = options.device_map or list(range(len(gpus)))
            if wrong := [each for each in wanted if not 0 <= each < len(gpus)]:
                raise ValueError(f"device_map names GPU {wrong[0]}, but this machine has {len(gpus)}, numbered from 0: "
                                 "name those, or leave device_map out")
            mine = gpus[wanted[number % len(wanted)]]
            tf.config.set_visible_devices([mine], "GPU")
            tf.config.experimental.set_memory_growth(mine, True)
        if options.num_worker > 1:
            tf.config.threading.set_intra_op_parallelism_threads(max(1, (os.cpu_count() or 1) // options.num_worker))
    except RuntimeError as error:  # TensorFlow is in use already, in a program that serves among other things
        log.info("devices stay as they are: %s", error)
    if options.xla:
        tf.config.optimizer.set_jit("autoclustering")
