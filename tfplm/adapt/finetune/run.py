"""`tfplm finetune`: a pre-trained model and labelled data -> a trained, evaluated, saved model."""

import dataclasses

import keras

from tfplm.adapt.finetune.cross_validation import cross_validate
from tfplm.adapt.finetune.data import load_examples
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

    Started again with the same `output`, it resumes where it was stopped or killed.

    Raises:
        ValueError: options, model and data do not fit together, or a row cannot be read.
        FileNotFoundError: data or model are not there. KeyboardInterrupt: Ctrl-C, after saving.
    """
    _check(options)
    options = with_defaults(options)
    report_line = (lambda *_: None) if options.quiet else print
    kind = TASKS[options.task].kind
    data = load_examples(options, kind, report_line)
    replay = Replay(options, kind, len(data.train), report_line) if options.replay else None
    folder = open_folder(options, "finetune")
    if options.init:  # from here on, no file of it is read twice
        options = dataclasses.replace(options, init=open_source(options.init))
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
    """The options with the values that depend on task and model where None was given."""
    rate = 1e-3 if options.preset or options.train in ("head", "features") else 5e-5
    length, parts = (384, 3) if options.task == "question-answering" else (128, 4)
    length = length if options.max_length is None else options.max_length
    return dataclasses.replace(options, label_kind=LABEL_KINDS.get(options.task, "class"), max_length=length,
                               learning_rate=rate if options.learning_rate is None else options.learning_rate,
                               stride=length // parts if options.stride is None else options.stride)


def _texts(examples: list):
    """All texts of examples, for a vocabulary."""
    for example in examples:
        for field in ("text", "pair", "question", "context", "target"):
            if isinstance(value := getattr(example, field, None), str):
                yield value
        yield from getattr(example, "choices", ())
        yield " ".join(getattr(example, "words", ()))


def _check(options: FinetuneOptions) -> None:
    for name in ("epochs", "batch_size", "max_length", "most_examples", "max_answer_length", "max_target_length",
                 "num_beams", "accumulation", "save_every"):
        if getattr(options, name) is not None and getattr(options, name) < 1:
            raise ValueError(f"{name} is {getattr(options, name)}: expected 1 or more")
    for name in ("learning_rate", "stride", "patience", "unfreeze_every", "auxiliary_lm", "replay_share", "crf_rate"):
        if getattr(options, name) is not None and getattr(options, name) < 0:
            raise ValueError(f"{name} is {getattr(options, name)}: expected 0 or more")
    parse_amount(options.train)
    if options.folds == 1 or options.folds < 0:
        raise ValueError(f"folds is {options.folds}: expected 2 or more, or 0 for none")
    if options.crf and options.task != "tagging":
        raise ValueError(f"--crf is for --task tagging, not {options.task}")
    if options.folds and options.replay:
        raise ValueError("--folds and --replay do not go together: leave one of them out")
    if options.class_weights != "none" and options.task != "classification":
        raise ValueError(f"--class-weights is for --task classification, not {options.task}")
    if not 0 <= options.label_smoothing < 1:
        raise ValueError(f"label_smoothing is {options.label_smoothing}: expected a share from 0 to below 1")
    if options.label_smoothing and (options.crf or options.task in ("multi-label", "regression")):
        raise ValueError("--label-smoothing is for tasks whose loss is a cross-entropy of classes, not for "
                         f"{'--crf' if options.crf else options.task}")
    if options.unfreeze_every and options.train not in ("all", "features"):
        raise ValueError(f"--unfreeze-every trains more and more of the model, down to all of it: it does not go with "
                         f"--train {options.train}")
    if options.train == "features" and (options.auxiliary_lm or options.unfreeze_every or options.augment != "none"):
        raise ValueError("--train features computes the model's features once: it goes with neither --auxiliary-lm, "
                         "--unfreeze-every nor --augment; choose --train head")
