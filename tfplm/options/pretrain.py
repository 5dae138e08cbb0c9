"""Options of `tfplm pretrain`."""

import dataclasses
from typing import Literal

from tfplm.options.architecture import ArchitectureOptions
from tfplm.options.base import TrainingOptions, flag
from tfplm.options.objectives import ObjectiveOptions, declared, listing
from tfplm.options.optimizer import OptimizerOptions


@dataclasses.dataclass(kw_only=True)
class PretrainOptions(TrainingOptions, OptimizerOptions, ArchitectureOptions, ObjectiveOptions):
    __doc__ = f"""Pre-train a language model on raw text, from scratch or from an existing model (--init).

Objectives: {', '.join(declared())}; sums such as mlm+sop, mixtures such as mlm@3,clm@1.
After Ctrl-C or a kill, run the same command again to resume; tfplm pretrain --config OUTPUT/pretrain.json --output
ELSEWHERE repeats a run.
"""
    DETAILS = f"""
Objectives (of encoders, unless stated otherwise):
{listing()}
Sums and mixtures of them:
  mlm+sop          a sum: one batch, several losses
  mlm:1+sop:0.5    the same with weights of the losses (default 1; of rtd's discriminator: 50)
  mlm+nsp@3,clm@1  several tasks: each batch is of one of them, drawn by the weights after @ (default 1)
"""

    RUN = "tfplm.pretrain.run:pretrain"
    USAGE = "TEXT... --objective OBJECTIVE --preset PRESET --output DIR"
    EXAMPLES = ("tfplm pretrain novels/*.txt --preset bert-tiny -o model --steps 10000",
                "tfplm pretrain reviews.jsonl --field text --init bert-base-chinese -o bert-of-reviews")
    EXPLAINED = ("text", "objective", "preset", "init", "output", "overwrite", "steps", "learning_rate", "max_length",
                 "batch_tokens", "records", "tokenizer")

    text: list[str] = flag(
        factory=list, help="corpus: files, globs, folders, .gz, .jsonl, - for standard input, tfds:NAME[:SPLIT], "
                           "builtin:python", positional=True)
    records: list[str] = flag(
        factory=list, help="instead of text: a folder written by `tfplm records`, or TFRecord files of BERT's script")
    text_layout: Literal["auto", "sentences", "paragraphs", "wrapped", "documents"] = flag(
        "auto", "what a line of the text is: a sentence (as for BERT), a paragraph, a part of a paragraph, a document")
    encoding: str = flag("utf-8", "encoding of the text files")
    field: str | None = flag(None, "field of the text in JSON lines (default for .jsonl: text), or in a tfds data set")
    words: Literal["tokenizer", "jieba"] = flag("tokenizer", "words for whole-word masking and tagging; jieba: Chinese "
                                                             "segmentation")
    held_out: float = flag(0.05, "share of the text held out for evaluation")

    objective: str = flag("mlm", "the objective, or several; `--help-all` explains them")
    preset: str | None = flag(None, "architecture by name, see `tfplm presets` (default: bert-base-uncased; "
                                    "by objective also electra, gpt2, t5, bart)")
    init: str | None = flag(None, "the model to start from, with its tokenizer: a folder, or a name on the Hugging Face "
                                  "hub, but not one of `tfplm presets`, which have no weights")
    tokenizer: str | None = flag(None, "a tokenizer: a folder or file (default: that of --init or --records, else a "
                                       "vocabulary learned from the text)")
    vocabulary: Literal["auto", "wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "auto", "kind of the learned vocabulary; auto: that of the model's family. Set its size with --vocab-size")
    character_coverage: float = flag(1.0, "learned vocabulary: share of the text whose characters get a token; "
                                          "0.9995 is usual for Chinese")

    learning_rate: float = flag(1e-4, "peak learning rate; small models need more, 5e-4 to 1e-3")
    max_length: int = flag(128, "maximum tokens of an example")
    batch_tokens: int = flag(4096, "tokens per step, over all devices")
    steps: int = flag(10_000, "training steps")
    minutes: float | None = flag(None, "stop after this many minutes of training, even before --steps; the learning "
                                        "rate decays to its end within them")
    packing: Literal["auto", "framed", "stream", "full_sentences", "doc_sentences"] = flag(
        "auto", "packing of text into examples; auto: without padding (framed for encoders, stream for others), or "
                "pairs of segments for objectives about pairs")
    curriculum: bool = flag(False, "short sequences first: lengths double up to --max-length")
    masking: Literal["token", "word", "ngram", "span"] = flag("token", "the unit of masking")
    masked_rate: float = flag(0.15, "share of masked tokens")
    phrases: str | None = flag(None, "file of phrases and entities, one per line, to be masked as words (ERNIE)")

    evaluate_every: int | None = flag(None, "steps between two evaluations (default: a tenth of the steps)")
    evaluation_batches: int = flag(32, "maximum number of held-out batches in an evaluation")
    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int | None = flag(None, "steps between two points of the TensorBoard curves (default: 50, or a "
                                           "twentieth of a short training); 0: no summaries")
    sample_every: int | None = flag(None, "steps between two samples of filled masks, attention images and embedding "
                                          "projections (default: at every evaluation)")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs. On CPUs only the "
                                                     "element-wise parts are compiled, which is mostly faster")
