"""Options of `tfplm contrastive`."""

import dataclasses
from typing import Literal

from tfplm.options.base import TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions


@dataclasses.dataclass(kw_only=True)
class ContrastiveOptions(TrainingOptions, OptimizerOptions):
    """Train sentence vectors.

    Losses, and what a line or row of the data has:
      simcse             a text; its two dropout masks make the pair (SimCSE, unsupervised); of tables both texts of a row
      supervised_simcse  two texts that are alike, with --negatives a third that is not
      ranking            the same, without SimCSE's extra layer: questions and answers, titles and texts
      cosent             two texts and a number: the order of the numbers is learned (CoSENT)
      cosine             two texts and a number: the number itself is learned
    For ranking and supervised_simcse of rows with numbers (AFQMC: 0 and 1) those with the largest are alike.

    With --dev the weights with the best Spearman correlation are kept. OUTPUT is a folder that SentenceEncoder and
    sentence-transformers read. Interrupted by Ctrl-C or killed, the same command goes on where it was.
    """

    RUN = "tfplm.embed.contrastive.run:contrastive"

    data: list[str] = flag(help="training files, or folders with a train file", positional=True)
    init: str = flag(help="the model to begin with: a folder (also of sentence-transformers, or a TF1 checkpoint), or a "
                          "name on the Hugging Face hub")
    loss: Literal["simcse", "supervised_simcse", "ranking", "cosent", "cosine"] = flag("simcse", "what is learned, see "
                                                                                                 "above", short="-l")
    dev: str | None = flag(None, "pairs with scores, a file or a folder with a dev file: Spearman's correlation is "
                                 "reported")
    negatives: bool = flag(False, "a third column is a text that is not alike")
    temperature: float = flag(0.05, "of the loss: cosines are divided by it (1 / 20)")
    pooling: list[str] = flag(
        factory=list, help="as in `tfplm encode` (default: what a folder of sentence-transformers says, else CLS_TOKEN "
                           "for the SimCSE losses and REDUCE_MEAN for the others)")
    dropout: float | None = flag(None, "rate of the model's dropout in training (default: the model's own)")
    repetition: float = flag(0.0, "simcse: up to this share of a text's tokens is doubled in its other copy (ESimCSE: 0.32)")
    by_length: bool = flag(False, "batches of texts of about the same length: faster, and length does not tell a text from "
                                  "the others")
    learning_rate: float = flag(3e-5, "peak learning rate")
    epochs: int = flag(1, "times that the data are seen")
    batch_size: int = flag(64, "examples of a step, over all devices; each is a negative for the others")
    max_length: int = flag(64, "tokens of a text; longer ones are cut")
    evaluate_every: int | None = flag(None, "steps between two evaluations (default: an eighth of the epoch's)")
    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int = flag(50, "steps between two points of the TensorBoard curves, 0 for no summaries")
    encoding: str = flag("utf-8", "of the files")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs")
