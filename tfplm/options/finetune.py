"""Options of `tfplm finetune`, and what `evaluate` and `predict` share with it."""

import dataclasses
from typing import Literal

from tfplm.options.architecture import ArchitectureOptions
from tfplm.options.base import Options, TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions
from tfplm.options.reading import Reading

TaskName = Literal["classification", "multi-label", "regression", "tagging", "question-answering", "multiple-choice",
                   "translation", "summarization"]


@dataclasses.dataclass(kw_only=True)
class FinetuneOptions(TrainingOptions, OptimizerOptions, Reading, ArchitectureOptions):
    """Fine-tune a model on labelled data: classes, several labels, numbers, tags, answers, choices, target texts.

    --data is a folder with train.tsv, dev.tsv, test.tsv (or .csv, .jsonl, .txt, CoNLL, SQuAD's .json, files of two
    languages), or tfds:NAME; or name the files by --train-file, --dev-file, --test-file. The best weights by the score
    of the development set are kept; OUTPUT holds model, labels, tokenizer, options and results, and is what
    `tfplm evaluate`, `tfplm predict` and tfplm.from_pretrained read. Interrupted, the same command goes on.
    """

    RUN = "tfplm.adapt.finetune.run:finetune"

    task: TaskName = flag("classification", "what is learned", short="-t")
    data: str | None = flag(None, "folder of train, dev and test files, or tfds:NAME")
    train_file: str | None = flag(None, "training file (of two languages: a.en,a.de)")
    dev_file: str | None = flag(None, "development file (default: a tenth of the training examples)")
    test_file: str | None = flag(None, "test file")
    most_examples: int | None = flag(None, "train on so many examples only, drawn by --seed")

    init: str | None = flag(None, "the pre-trained model: a folder (also of a TF1 checkpoint) or a name on the Hugging "
                                  "Face hub; a model that was fine-tuned on the same task goes on, and learns new labels")
    preset: str | None = flag(None, "fresh weights in place of --init: an architecture by name, such as textcnn, bilstm")
    tokenizer: str | None = flag(None, "folder of a tokenizer (default: that of --init; with --preset, a vocabulary "
                                       "learned from the training texts)")
    vocabulary: Literal["auto", "wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "auto", "kind of the learned vocabulary; auto: that of the model's family")

    train: str = flag("all", "how much is trained: all; last:N layers; head; features (head, on features of the frozen "
                             "model that are computed once)")
    unfreeze_every: int = flag(0, "epochs after which one more layer is trained, from the head down; 0: all at once")
    learning_rate: float | None = flag(None, "peak learning rate (default: 5e-5; with --train head, --train features and "
                                             "--preset 1e-3)")
    epochs: int = flag(3, "times that the training data are seen")
    batch_size: int = flag(32, "examples of a step, over all devices")
    max_length: int | None = flag(None, "tokens of a row; longer texts are cut, for tags and answers into several rows "
                                        "(default: 128, for answers 384)")
    stride: int | None = flag(None, "tokens by which the rows of one text overlap (default: a quarter, for answers a "
                                    "third)")
    keep: Literal["best", "last"] = flag("best", "weights of the epoch with the best development score, or of the last")
    patience: int = flag(0, "stop after so many epochs without a better development score; 0: never")
    class_weights: Literal["none", "balanced"] = flag("none", "balanced: rare classes count as much as common ones")
    label_smoothing: float = flag(0.0, "share of the target that goes to all classes")
    gpt_inputs: bool = flag(False, "decoders: texts between tokens for start, delimiter and extraction (GPT, section 3.3)")
    both_orders: bool = flag(False, "pairs in both orders, whose scores are added up, where the order means nothing")
    auxiliary_lm: float = flag(0.0, "weight of the language model's loss beside the task's (GPT, section 3.2: 0.5)")
    crf: bool = flag(False, "tagging: a conditional random field over the tags")
    crf_rate: float = flag(100.0, "tagging: learning rate of the random field's scores, times that of the model")
    max_answer_length: int = flag(30, "question-answering: tokens of an answer")
    min_null_gap: float = flag(0.0, "question-answering: how much better than every answer the empty one must be")
    max_target_length: int = flag(64, "translation, summarization: tokens of the text to be written")
    num_beams: int = flag(1, "translation, summarization: beams of the search")
    language: str = flag("en", "whose words count in the scores: zh makes characters words, and cmrc the metric")
    folds: int = flag(0, "cross-validation: train so many times, each time on all but one part; 0: not at all")
    replay: str | None = flag(None, "data (as --data) of an earlier task: some are trained on again, and what was "
                                    "forgotten is reported")
    replay_share: float = flag(0.2, "replayed examples as a part of the new ones")
    augment: Literal["none", "mask", "replace", "replace-lm", "ngram", "cutoff", "cutoff-span"] = flag(
        "none", "training texts are changed at random, anew in each epoch: masks; other words, by embeddings or by the "
                "masked language model; n-grams; tokens, or a span of them, hidden from attention")
    augment_rate: float = flag(0.1, "share of words or tokens that augmentation changes")

    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int = flag(50, "steps between two points of the TensorBoard curves, 0 for no summaries")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs")


@dataclasses.dataclass(kw_only=True)
class EvaluateOptions(Options, Reading):
    """Score a fine-tuned model (what `tfplm finetune` wrote) on labelled data."""

    RUN = "tfplm.adapt.finetune.evaluate:evaluate"

    source: str = flag(help="folder that `tfplm finetune` wrote", positional=True)
    data: str = flag(help="a labelled file, a folder with a test (or dev) file, or tfds:NAME", positional=True)
    split: Literal["auto", "train", "dev", "test"] = flag("auto", "of a folder: auto is test where it has labels, "
                                                                  "else dev")
    output: str | None = flag(None, "write the scores to this file, as JSON")
    pictures: str | None = flag(None, "folder for pictures: confusion matrix, precision and recall")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation")


@dataclasses.dataclass(kw_only=True)
class PredictOptions(Options, Reading):
    """Predict with a fine-tuned model (what `tfplm finetune` wrote): labels, tags and spans, answers, target texts.

    Input: texts as arguments; a file of the task's format, with or without labels; or standard input, a text a line.
    """

    RUN = "tfplm.adapt.finetune.predict:run"

    source: str = flag(help="folder that `tfplm finetune` wrote", positional=True)
    texts: list[str] = flag(factory=list, help="texts; of pairs: text and second text in turns", positional=True)
    file: str | None = flag(None, "read the examples from this file")
    output: str | None = flag(None, "write the predictions to this file: .tsv, .json (one list) or .jsonl; default: "
                                    "standard output", short="-o")
    n_best: int = flag(1, "question-answering: answers of a question")
    dtype: Literal["float32", "bfloat16"] = flag("float32", "of weights and computation")
