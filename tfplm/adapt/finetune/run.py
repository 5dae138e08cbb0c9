"""`tfplm finetune`: trains, evaluates and saves a pre-trained model on labelled data."""

import dataclasses

import keras

from tfplm.adapt.finetune.cross_validation import cross_validate
from tfplm.adapt.finetune.data import digests, load_examples
from tfplm.adapt.finetune.result import FinetuneResult, report
from tfplm.adapt.finetune.start import make_task, open_start
from tfplm.adapt.finetune.training import prepare, train
from tfplm.adapt.methods.freezing import parse_amount
from tfplm.adapt.methods.replay import Replay
from tfplm.adapt.tasks.catalogue import LABEL_KINDS, TASKS
from tfplm.models.pretrained.source import open_source
from tfplm.options.base import verb
from tfplm.options.finetune import FinetuneOptions
from tfplm.training.loop.run_folder import open_folder


@verb(FinetuneOptions)
def finetune(options: FinetuneOptions) -> FinetuneResult:
    """Trains a model on a task and saves it with its labels and tokenizer; see `FinetuneOptions`.

    When it is started again with the same `output`, it resumes where it was stopped or killed.

    Raises:
        ValueError: options, model and data do not match, or a row cannot be read.
        FileNotFoundError: data or model do not exist.
        KeyboardInterrupt: Ctrl-C, after saving.
    """
    _check(options)
    options = with_defaults(options)
    report_line = (lambda *_: None) if options.quiet else print
    kind = TASKS[options.task].kind
    said: list[str] = []  # after the line of the folder
    data = load_examples(options, kind, said.append)
    replay = Replay(options, kind, len(data.train), said.append) if options.replay else None
    if options.init:  # opened once: no file of it is read twice
        options = dataclasses.replace(options, init=open_source(options.init))
    found = digests(options, [*data.train, *data.dev], replay.examples if replay else ())
    with open_folder(options, "finetune", found) as folder:
        for line in said:
            report_line(line)
        keras.utils.set_random_seed(options.seed)
        start = open_start(options, _texts(data.train), folder.data)
        task = make_task(start)
        task.learn([*data.train, *(replay.examples if replay else []), *(data.dev if options.folds else [])])
        if options.folds:
            result = cross_validate(start, task, data, folder)
        else:
            result = train(prepare(start, task, folder, data, replay))
    report_line(report(result))
    return result


def with_defaults(options: FinetuneOptions) -> FinetuneOptions:
    """The options, in which None is replaced by defaults that depend on task and model."""
    rate = 1e-3 if options.preset or options.train in ("head", "features") else 5e-5
    length, parts = (384, 3) if options.task == "question-answering" else (128, 4)
    length = length if options.max_length is None else options.max_length
    return dataclasses.replace(options, label_kind=LABEL_KINDS.get(options.task, "class"), max_length=length,
                               learning_rate=rate if options.learning_rate is None else options.learning_rate,
                               stride=length // parts if options.stride is None else options.stride)


def _texts(examples: list):
    """All texts of the examples, from which a vocabulary is learned."""
    for example in examples:
        for field in ("text", "pair", "question", "context", "target"):
            if isinstance(value := getattr(example, field, None), str):
                yield value
        yield from getattr(example, "choices", ())
        yield " ".join(getattr(example, "words", ()))


def _check(options: FinetuneOptions) -> None:
    for name in ("epochs", "batch_size", "max_length", "most_examples", "max_answer_length", "max_target_length",
                 "num_beams", "accumulation", "save_every"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more: change --{name.replace('_', '-')}")
    for name in ("learning_rate", "stride", "patience", "unfreeze_every", "auxiliary_lm", "replay_share", "crf_rate"):
        if (value := getattr(options, name)) is not None and value < 0:
            raise ValueError(f"{name} is {value}; expected 0 or more: change --{name.replace('_', '-')}")
    parse_amount(options.train)
    if options.folds == 1 or options.folds < 0:
        raise ValueError(f"folds is {options.folds}; expected 2 or more, or 0 for no cross-validation: change --folds")
    if options.split_seed is not None and options.dev_share is None:
        raise ValueError(f"--split-seed {options.split_seed} was given without --dev-share, whose split it determines: add "
                         "--dev-share, or omit --split-seed")
    if options.crf and options.task != "tagging":
        raise ValueError(f"--crf was given for --task {options.task}, but only tagging has a CRF: omit --crf")
    if options.folds and options.replay:
        raise ValueError("--folds and --replay were both given, but cannot be combined: omit one of them")
    if options.class_weights != "none" and options.task != "classification":
        raise ValueError(f"--class-weights was given for --task {options.task}, but only classification has class "
                         "weights: omit --class-weights")
    if not 0 <= options.label_smoothing < 1:
        raise ValueError(f"label_smoothing is {options.label_smoothing}; expected a number from 0 to below 1: change "
                         "--label-smoothing")
    if options.label_smoothing and (options.crf or options.task in ("multi-label", "regression")):
        raise ValueError(f"--label-smoothing was given for {'--crf' if options.crf else options.task}, but only tasks "
                         "whose loss is a cross-entropy over classes have it: omit --label-smoothing")
    if options.unfreeze_every and options.train not in ("all", "features"):
        raise ValueError(f"--unfreeze-every was given with --train {options.train}, but unfreezes the whole model step "
                         "by step: use --train all")
    if options.train == "features" and (options.auxiliary_lm or options.unfreeze_every or options.augment != "none"):
        raise ValueError("--train features computes the model's features once, so it cannot be combined with "
                         "--auxiliary-lm, --unfreeze-every or --augment: omit these, or use --train head")
