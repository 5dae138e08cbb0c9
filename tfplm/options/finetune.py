"""Options of `tfplm finetune`, `tfplm evaluate` and `tfplm predict`."""

import dataclasses
from typing import Literal

from tfplm.options.architecture import ArchitectureOptions
from tfplm.options.backend import BackendOptions
from tfplm.options.base import Dtype, ResultOptions, TrainingOptions, flag
from tfplm.options.optimizer import OptimizerOptions
from tfplm.options.reading import Reading

TaskName = Literal["classification", "multi-label", "regression", "tagging", "question-answering", "multiple-choice",
                   "translation", "summarization"]


@dataclasses.dataclass(kw_only=True)
class FinetuneOptions(TrainingOptions, OptimizerOptions, Reading, ArchitectureOptions):
    """Fine-tune a model on labelled data: classes, several labels, numbers, tags, answers, choices, target texts.

    --data is a folder with train, dev and test files (.tsv, .csv, .jsonl, .txt, CoNLL, SQuAD's .json, parallel files in
    two languages) or tfds:NAME. OUTPUT gets the weights with the best score on the development set, labels, tokenizer,
    options and results, for `tfplm evaluate`, `tfplm predict` and tfplm.from_pretrained. After an interruption, run the
    same command again to resume.
    """
    DETAILS = """
    If --init is a model fine-tuned on the same task, its training is continued, with new labels.
    """

    RUN = "tfplm.adapt.finetune.run:finetune"
    USAGE = "--data DIR --init MODEL --output DIR"
    EXAMPLES = ("tfplm finetune --data reviews --init bert-base-chinese --output model",
                "tfplm finetune --task tagging --crf --data ner --init bert-base-cased -o tagger --epochs 5")
    EXPLAINED = ("task", "data", "init", "output", "overwrite", "epochs", "batch_size", "learning_rate", "max_length",
                 "preset", "train")

    task: TaskName = flag("classification", "the task to learn")
    data: str | None = flag(None, "folder with train, dev and test files, or tfds:NAME")
    train_file: str | None = flag(None, "training file (parallel files: a.en,a.de)")
    dev_file: str | None = flag(None, "development file (default: a tenth of the training examples)")
    test_file: str | None = flag(None, "test file")
    dev_share: float | None = flag(None, "join all labelled files, and hold out this share of them as development set, "
                                         "with the split of scikit-learn's train_test_split")
    split_seed: int | None = flag(None, "random_state of the split of --dev-share (default: --seed)")
    most_examples: int | None = flag(None, "train on at most this many examples, drawn by --seed")

    init: str | None = flag(None, "the pre-trained model: a folder, or a name on the Hugging Face hub, but not one of "
                                  "`tfplm presets`, which have no weights")
    preset: str | None = flag(None, "random weights instead of --init: an architecture, such as textcnn, bilstm")
    tokenizer: str | None = flag(None, "folder of a tokenizer (default: that of --init; with --preset, a vocabulary "
                                       "learned from the training texts)")
    vocabulary: Literal["auto", "wordpiece", "bpe", "byte_bpe", "sentencepiece"] = flag(
        "auto", "kind of the learned vocabulary; auto: that of the model's family")

    train: str = flag("all", "the part to train: all, last:N layers, head, features (the head, on features of the "
                             "frozen model)")
    unfreeze_every: int = flag(0, "epochs after which one more layer is unfrozen, from the head down; 0: all at once")
    learning_rate: float | None = flag(None, "peak learning rate (default: 5e-5; --preset, --train head or features: 1e-3)")
    epochs: int = flag(3, "passes over the training data")
    batch_size: int = flag(32, "examples per step, over all devices")
    max_length: int | None = flag(None, "maximum tokens of a row; longer texts are truncated, for tags and answers "
                                        "split (default: 128, for answers 384)")
    stride: int | None = flag(None, "tokens by which the rows of a text overlap (default: a quarter of a row, for "
                                    "answers a third)")
    keep: Literal["best", "last"] = flag("best", "weights to keep: those with the best development score, or the last")
    patience: int = flag(0, "stop after this many epochs without a better development score; 0: never")
    class_weights: Literal["none", "balanced"] = flag("none", "balanced: rare classes count as much as frequent ones")
    label_smoothing: float = flag(0.0, "share of the target that is distributed over all classes")
    gpt_inputs: bool = flag(False, "decoders: add start, delimiter and extract tokens (GPT, section 3.3)")
    both_orders: bool = flag(False, "encode pairs in both orders and add their scores, if the order has no meaning")
    auxiliary_lm: float = flag(0.0, "weight of an auxiliary language model loss (GPT, section 3.2: 0.5)")
    crf: bool = flag(False, "tagging: a conditional random field over the tags")
    crf_rate: float = flag(100.0, "tagging: learning rate of the random field, as a multiple of the model's")
    max_answer_length: int = flag(30, "question-answering: maximum tokens of an answer")
    min_null_gap: float = flag(0.0, "question-answering: minimum lead of the empty answer over the best other answer")
    max_target_length: int = flag(64, "translation, summarization: maximum tokens of the target text")
    num_beams: int = flag(1, "translation, summarization: number of beams")
    language: str = flag("en", "language for splitting answers and targets into words in the scores; zh: characters, "
                               "and the metric of CMRC")
    folds: int = flag(0, "cross-validation with this many folds; 0: none")
    replay: str | None = flag(None, "data (as --data) of an earlier task: some of it is trained on again, and "
                                    "forgetting is reported")
    replay_share: float = flag(0.2, "number of replayed examples relative to the new ones")
    augment: Literal["none", "mask", "replace", "replace-lm", "ngram", "cutoff", "cutoff-span"] = flag(
        "none", "change training texts at random in each epoch: masks; other words, by embeddings or by the masked "
                "language model; n-grams; tokens masked in attention")
    augment_rate: float = flag(0.1, "share of words or tokens changed by augmentation")

    save_every: int | None = flag(None, "steps between two checkpoints (default: ten minutes)")
    summary_every: int | None = flag(None, "steps between two points of the TensorBoard curves (default: 50, or a "
                                           "twentieth of a short training); 0: no summaries")
    jit: Literal["auto", "on", "off"] = flag("auto", "compile the whole step with XLA; auto: on GPUs")


@dataclasses.dataclass(kw_only=True)
class EvaluateOptions(ResultOptions, Reading):
    """Score a model written by `tfplm finetune` on labelled data."""

    RUN = "tfplm.adapt.finetune.evaluate:evaluate"
    EXAMPLES = ("tfplm evaluate model reviews/test.tsv",
                "tfplm evaluate model reviews --split dev -o scores.json --pictures pictures")
    UNUSED = ("seed",)

    source: str = flag(help="folder written by `tfplm finetune`", positional=True)
    data: str = flag(help="a labelled file, a folder with a test (or dev) file, or tfds:NAME", positional=True)
    split: Literal["auto", "train", "dev", "test"] = flag("auto", "split of a folder; auto: test if it has labels, "
                                                                  "else dev")
    output: str | None = flag(None, "write the scores to this JSON file as well")
    pictures: str | None = flag(None, "folder for images: confusion matrix, precision-recall curves")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`")


@dataclasses.dataclass(kw_only=True)
class PredictOptions(ResultOptions, Reading, BackendOptions):
    """Predict labels, tags and spans, answers or target texts with a model written by `tfplm finetune`.

    Input: texts as arguments; a file in the task's format, with or without labels; or standard input, a text per line.
    """

    RUN = "tfplm.adapt.finetune.predict:run"
    EXAMPLES = ('tfplm predict model "a good film" "a bad one"',
                "tfplm predict model --file new.tsv -o predictions.tsv")
    UNUSED = ("seed",)

    source: str = flag(help="folder written by `tfplm finetune`", positional=True)
    texts: list[str] = flag(factory=list, help="texts; for pairs, first and second texts alternate", positional=True)
    file: str | None = flag(None, "read the examples from this file")
    output: str | None = flag(None, "write the predictions to this file instead: .tsv, .json (one list) or .jsonl")
    n_best: int = flag(1, "question-answering: number of answers per question")
    dtype: Dtype = flag("auto", "dtype of weights and computation; auto: the faster one, see `tfplm info`")
