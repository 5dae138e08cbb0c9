"""Options of `tfplm mnist`."""

import dataclasses
from typing import Literal

from tfplm.options.base import TrainingOptions, flag


@dataclasses.dataclass(kw_only=True)
class MnistOptions(TrainingOptions):
    """Train a perceptron with one hidden layer on handwritten digits, with every kind of TensorBoard summary.

    784 pixels - 500 ReLU units - 10 classes. Every tenth step evaluates the test set and writes its summaries to
    LOG_DIR/test; the others train on a batch and write to LOG_DIR/train. View them with: tensorboard --logdir LOG_DIR

    MNIST is four files, with which an empty or missing --data-dir is filled by a download: train-images-idx3-ubyte,
    train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each with .gz or without, from
    https://storage.googleapis.com/cvdf-datasets/mnist/
    """

    RUN = "tfplm.demos.mnist:mnist"
    EXAMPLES = ("tfplm mnist --data-dir MNIST_DATA", "tfplm mnist --steps 200 --progress bar --log-dir logs/digits")

    output: str | None = flag(None, "folder for the finished model, mnist.keras (default: it is not saved)")
    data_dir: str | None = flag(None, "folder with the four files, or of tensorflow-datasets; filled by a download if it is "
                                      "empty or missing (default: $TFPLM_DATA/mnist, a download, or scikit-learn's small "
                                      "digits)")
    dtype: Literal["auto", "float32", "bfloat16", "mixed_bfloat16", "mixed_float16"] = flag(
        "float32", "Keras dtype policy; auto: mixed_bfloat16 where that is faster in large models")
    steps: int = flag(1000, "training steps")
    batch_size: int = flag(100, "examples per step, over all devices")
    hidden_size: int = flag(500, "units of the hidden layer")
    learning_rate: float = flag(0.001, "learning rate of Adam")
    keep_probability: float = flag(0.9, "share of the hidden units kept by dropout")
    weight_stddev: float = flag(0.1, "standard deviation of the truncated normal distribution of the initial weights")
    bias: float = flag(0.1, "initial value of the biases")
    test_every: int = flag(10, "steps between two evaluations on the test set, which take the place of a training step; "
                               "0: only at the end")
    train_every_step: bool = flag(False, "train at the steps of the evaluations as well")
    summary_every: int = flag(1, "steps between two training summaries; 0: none")
    images: int = flag(10, "number of input images in a summary")
    projector: int = flag(500, "number of test images whose hidden units go to the embedding projector; 0: none")
    progress: Literal["lines", "bar"] = flag("lines", "'Accuracy at step N: x' lines, or a progress bar")
