"""Options of `tfplm contrastive`."""

import dataclasses
from typing import Literal

from tfplm.options.base import TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions


@dataclasses.dataclass(kw_only=True)
class ContrastiveOptions(TrainingOptions, OptimizerOptions):
    """Train sentence vectors.

    Losses, and the content of a line or row of the data:
      simcse             one text; two dropout masks make the pair (unsupervised SimCSE); in tables, both texts of a row
      supervised_simcse  two similar texts, and with --negatives a dissimilar third one
      ranking            the same, without SimCSE's extra layer: questions and answers, titles and texts
      cosent             two texts and a number: learns the order of the numbers (CoSENT)
      cosine             two texts and a number: learns the number itself
    With ranking and supervised_simcse, of rows with numbers (AFQMC: 0 and 1) those with the largest one are similar.

    With --dev, the weights with the best Spearman correlation are kept. SentenceEncoder and sentence-transformers can
    read OUTPUT. After Ctrl-C or a kill, run the same command again to resume.
    """

    RUN = "tfplm.embed.contrastive.run:contrastive"
    EXAMPLES = ("tfplm contrastive sentences.txt --init bert-base-uncased --loss simcse -o vectors-model",
                "tfplm contrastive stsb --init model --loss cosent --dev stsb -o vectors-model")
    EXPLAINED = ("data", "init", "loss", "dev", "output", "overwrite", "learning_rate", "epochs",
                 "batch_size", "max_length", "pooling")

    data: list[str] = flag(help="training files, or folders with a train file", positional=True)
    init: str = flag(help="the model to start from: a folder (also of sentence-transformers, or a TF1 checkpoint), or "
                          "a name on the Hugging Face hub")
    loss: Literal["simcse", "supervised_simcse", "ranking", "cosent", "cosine"] = flag(
        "simcse", "the loss, see above")
    dev: str | None = flag(None, "pairs with scores to report Spearman's correlation on: a file, or a folder with a "
                                 "dev file")
    negatives: bool = flag(False, "the third column is a dissimilar text")
    temperature: float = flag(0.05, "temperature by which the loss divides cosines")
    pooling: list[str] = flag(
        factory=list, help="as in `tfplm encode` (default: that of a sentence-transformers folder, else CLS_TOKEN for "
                           "the SimCSE losses and REDUCE_MEAN for the others)")
    dropout: float | None = flag(None, "dropout rate in training (default: that of the model)")
    repetition: float = flag(0.0, "simcse: up to this share of tokens is repeated in the second copy of a text "
                                  "(ESimCSE: 0.32)")
    by_length: bool = flag(False, "batches of texts of about equal length: faster, and length does not distinguish a "
                                  "text from its negatives")
    learning_rate: float = flag(3e-5, "peak learning rate")
    epochs: int = flag(1, "passes over the data")
    batch_size: int = flag(64, "examples per step, over all devices; each is a negative for the others")
    max_length: int = flag(64, "maximum tokens of a text; longer texts are truncated")
    evaluate_every: int | None = flag(None, "steps between two evaluations (default: an eighth of an epoch)")
    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int | None = flag(None, "steps between two points of the TensorBoard curves (default: 50, or a "
                                           "twentieth of a short training); 0: no summaries")
    encoding: str = flag("utf-8", "encoding of the files")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs")
