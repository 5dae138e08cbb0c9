"""Options of `tfplm pretrain`."""

import dataclasses
from typing import Literal

from tfplm.options.architecture import ArchitectureOptions
from tfplm.options.base import TrainingOptions, flag
from tfplm.options.objectives import ObjectiveOptions, listing
from tfplm.options.optimizer import OptimizerOptions


@dataclasses.dataclass(kw_only=True)
class PretrainOptions(TrainingOptions, OptimizerOptions, ArchitectureOptions, ObjectiveOptions):
    __doc__ = f"""Pre-train a language model on raw text, from scratch or from a model that is there (--init).

Objectives (of encoders, where nothing else is said):
{listing()}
Sums and mixtures of them:
  mlm+sop          a sum: one batch, several losses
  mlm:1+sop:0.5    the same with weights of the losses (default 1; of rtd's discriminator: 50)
  mlm+nsp@3,clm@1  several tasks: each batch is of one of them, drawn by the weights after @ (default 1)

Interrupted by Ctrl-C or killed, the same command resumes where it was. OUTPUT/pretrain.json holds all options:
tfplm pretrain --config OUTPUT/pretrain.json --output ELSEWHERE runs the same again.
"""

    RUN = "tfplm.pretrain.run:pretrain"

    text: list[str] = flag(
        factory=list, help="corpus: files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], "
                           "builtin:python", positional=True)
    records: list[str] = flag(
        factory=list, help="in place of text: a folder of `tfplm records`, or TFRecord files of BERT's own script")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "a line of the text is a sentence (as BERT wants it), a paragraph, a piece of a paragraph, a document")
    encoding: str = flag("utf-8", "of the text files")
    field: str | None = flag(None, "the text's field in JSON lines (.jsonl: text), or in a tfds data set")
    words: Literal["tokenizer", "jieba"] = flag("tokenizer", "whose words whole-word masks and tags mean; jieba: "
                                                             "Chinese")
    held_out: float = flag(0.05, "share of the text that is kept for evaluation")

    objective: str = flag("mlm", "what is learned, see above", short="-O")
    preset: str | None = flag(None, "architecture by name, see `tfplm presets` (default: bert-base-uncased; "
                                    "by objective also electra, gpt2, t5, bart)")
    init: str | None = flag(None, "go on from this model: a folder (also of a TF1 checkpoint) or a name on the Hugging "
                                  "Face hub; with its tokenizer")
    tokenizer: str | None = flag(None, "folder of a tokenizer, or a vocab.txt, tokenizer.json, .model file (default: "
                                       "that of --init or --records, else a vocabulary learned from the text)")
    vocabulary: Literal["auto", "wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "auto", "kind of the learned vocabulary; auto: that of the model's family. Its size is --vocab-size")
    character_coverage: float = flag(1.0, "learned vocabulary: share of the text whose characters get a token; "
                                          "0.9995 is usual for Chinese")

    learning_rate: float = flag(1e-4, "peak learning rate; small models want more, 5e-4 to 1e-3")
    max_length: int = flag(128, "tokens of an example")
    batch_tokens: int = flag(4096, "tokens of a step, over all devices")
    steps: int = flag(10_000, "training steps")
    minutes: float | None = flag(None, "stop after so many minutes of training, whatever the steps")
    packing: Literal["auto", "framed", "stream", "full_sentences", "doc_sentences"] = flag(
        "auto", "how text becomes examples; auto: full to the last token (framed for encoders, stream for others), "
                "pairs of segments where the objective is about them")
    curriculum: bool = flag(False, "short sequences first: lengths that double up to max-length")
    masking: Literal["token", "word", "ngram", "span"] = flag("token", "what is masked as a whole")
    masked_rate: float = flag(0.15, "share of masked tokens")
    phrases: str | None = flag(None, "file of phrases and entities, one a line, that are masked as words (ERNIE)")

    evaluate_every: int | None = flag(None, "steps between two evaluations (default: a tenth of the steps)")
    evaluation_batches: int = flag(32, "most batches of the held-out text in an evaluation")
    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int = flag(50, "steps between two points of the TensorBoard curves, 0 for no summaries")
    sample_every: int | None = flag(None, "steps between two samples of filled masks, images of attention and "
                                          "projections of the embeddings (default: with every evaluation)")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs. On CPUs its "
                                                     "element-wise parts always are, which is mostly faster")
