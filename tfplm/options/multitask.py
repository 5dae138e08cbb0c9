"""Options of `tfplm multitask`."""

import dataclasses
from typing import Literal

from tfplm.options.base import TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions
from tfplm.options.reading import Reading


@dataclasses.dataclass(kw_only=True)
class MultitaskOptions(TrainingOptions, OptimizerOptions, Reading):
    """Fine-tune one encoder on several tasks at once (MT-DNN, Liu et al. 2019). Each task has its own head; each batch
    is of one task, drawn in proportion to the size of its data to the power of --alpha.

      tfplm multitask sst=classification:data/sst2 sts=regression:data/stsb ner=tagging:data/wnut17 --init MODEL

    OUTPUT/NAME gets the model of each task, in the form that `tfplm finetune` writes.
    """

    RUN = "tfplm.adapt.multitask.run:multitask"
    USAGE = "NAME=TASK:DATA... --init MODEL --output DIR"
    EXAMPLES = ("tfplm multitask sst=classification:sst2 sts=regression:stsb --init bert-base-uncased -o both",
                "tfplm multitask ner=tagging:wnut17 nli=classification:mnli --init model --alpha 0 -o both")
    EXPLAINED = ("tasks", "init", "output", "overwrite", "alpha", "learning_rate", "epochs", "batch_size", "max_length")

    tasks: list[str] = flag(help="NAME=TASK:DATA, two or more; TASK is classification, multi-label, regression, "
                                 "tagging or question-answering, DATA as in tfplm finetune --data", positional=True)
    init: str = flag(help="the pre-trained model: a folder or a name on the Hugging Face hub")
    alpha: float = flag(0.5, "a task's share of the batches is size ** alpha; 1: by size, 0: equal shares")
    learning_rate: float = flag(5e-5, "peak learning rate")
    epochs: float = flag(3.0, "number of batches, as a multiple of those in all training data together")
    batch_size: int = flag(32, "examples per step, over all devices")
    max_length: int = flag(128, "maximum tokens of a row")
    stride: int = flag(32, "tokens by which the rows of a text overlap")
    most_examples: int | None = flag(None, "train on at most this many examples of each task")
    language: str = flag("en", "language for splitting texts into words in the scores")
    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int | None = flag(None, "steps between two points of the TensorBoard curves (default: 50, or a "
                                           "twentieth of a short training); 0: no summaries")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs")
