"""`tfplm run-classifier`: the workflow and the flags of `run_classifier.py` from google-research/bert.

The names that a task of one's own took from that script are here: `DataProcessor`, `InputExample`, the processors,
`tokenization`, and `processors`, to which it adds its own:

    from tfplm.adapt.run_classifier import processors, run_classifier

    processors["demo"] = DemoProcessor
    run_classifier(task_name="demo", do_train=True, ...)
"""

import math
import shutil
from pathlib import Path

import keras

from tfplm.adapt.finetune.data import SPLITS, Examples, digests
from tfplm.adapt.finetune.predictor import Predictor
from tfplm.adapt.finetune.result import has_task
from tfplm.adapt.finetune.start import Start, make_task
from tfplm.adapt.finetune.training import prepare, train
from tfplm.adapt.processor_files import load_processor
from tfplm.core.files import write_text
from tfplm.core.outputs import known_files
from tfplm.core.sources import resolve
from tfplm.data.tasks.labels import LabelMap
from tfplm.data.tasks.processors import PROCESSORS as processors
from tfplm.data.tasks.processors import (
    ColaProcessor,
    DataProcessor,
    InputExample,
    MnliProcessor,
    MrpcProcessor,
    XnliProcessor,
    find_processor,
    processor_examples,
    processor_labels,
)
from tfplm.families import bert
from tfplm.models.pretrained.source import open_source
from tfplm.options.base import verb
from tfplm.options.finetune import FinetuneOptions
from tfplm.options.run_classifier import RunClassifierOptions
from tfplm.tokenizers import Tokenizer, tokenization
from tfplm.training.loop.run_folder import open_folder

__all__ = ["ColaProcessor", "DataProcessor", "InputExample", "MnliProcessor", "MrpcProcessor", "XnliProcessor",
           "processors", "run_classifier", "tokenization"]

_CONFIG, _VOCAB, _STEP = bert.TF1.config, "vocab.txt", "global_step"
_OURS = ("finetune.json", "init", "global_step", "eval_results.txt", "test_results.tsv")  # files in the output folder


@verb(RunClassifierOptions)
def run_classifier(options: RunClassifierOptions) -> dict[str, float]:
    """Trains, evaluates and predicts, as the flags request; returns the content of `eval_results.txt`.

    Raises ValueError for flags that contradict each other, FileNotFoundError for missing files, FileExistsError for an
    output folder with other files.
    """
    _check(options)
    processor = load_processor(options.processor, options.task_name) if options.processor \
        else find_processor(options.task_name)
    output = Path(options.output_dir)
    known_files(output, _OURS)
    wanted = (options.do_train, options.do_eval, options.do_predict)
    examples = {split: processor_examples(processor, options.data_dir, split) if asked else []
                for split, asked in zip(SPLITS, wanted)}  # before the training, so that it is not in vain
    result, step = {}, 0
    if options.do_train:
        step = _train(options, processor, Examples(examples["train"], examples["dev"]), output)
    predictor = Predictor.from_pretrained(output if options.do_train or not options.init_checkpoint
                                          else _trained(options.init_checkpoint))
    step = step or _step_of(output)
    if options.do_eval:
        result = _evaluate(predictor, examples["dev"], step, output)
    if options.do_predict:
        _predict(predictor, examples["test"], output)
    return result


def _check(options: RunClassifierOptions) -> None:
    if not (options.do_train or options.do_eval or options.do_predict):
        raise ValueError("no step was given; expected --do_train, --do_eval or --do_predict: add at least one of them")
    if options.use_tpu:
        raise ValueError("--use_tpu was given, but TPUs are not supported: omit it")
    if options.num_train_epochs <= 0:
        raise ValueError(f"num_train_epochs is {options.num_train_epochs}; expected a number above 0: change "
                         "--num_train_epochs")
    if options.do_train and not options.init_checkpoint:
        raise ValueError("--do_train was given without a model; expected the pre-trained one: add --init_checkpoint")


def source_of(options: RunClassifierOptions, folder: Path) -> Path:
    """The pre-trained model: the checkpoint, if config and vocabulary are in its folder; else `folder`, into which
    all three are linked (or copied, if the file system has no hard links)."""
    checkpoint = resolve(options.init_checkpoint)
    home = checkpoint if checkpoint.is_dir() else checkpoint.parent
    given = {_CONFIG: options.bert_config_file, _VOCAB: options.vocab_file}
    if all(path is None or Path(path).resolve().parent == home.resolve() for path in given.values()):
        return checkpoint
    folder.mkdir(parents=True, exist_ok=True)
    for file in home.iterdir() if checkpoint.is_dir() else home.glob(f"{checkpoint.name}.*"):
        if file.is_file() and not (folder / file.name).exists():
            try:
                (folder / file.name).hardlink_to(file)
            except OSError:
                shutil.copyfile(file, folder / file.name)
    for name, path in given.items():
        source = Path(path) if path else home / name
        if not source.is_file():
            flag = "--vocab_file" if name == _VOCAB else "--bert_config_file"
            raise FileNotFoundError(f"{source} does not exist; expected it there, or its path in {flag}: add {flag}")
        shutil.copyfile(source, folder / name)
    return folder


def _train(options: RunClassifierOptions, processor, data: Examples, output: Path) -> int:
    """Trains and saves; returns the number of updates. Without development examples nothing is scored."""
    labels = processor_labels(processor)
    source = source_of(options, output / "init")
    tuning = FinetuneOptions(
        task="classification" if labels else "regression", label_kind="class" if labels else "number",
        init=open_source(source), output=str(output), log_dir=str(output / "logs"), overwrite=options.overwrite,
        optimizer="bert_adam", batch_size=options.train_batch_size,
        learning_rate=options.learning_rate, epochs=math.ceil(options.num_train_epochs), max_length=options.max_seq_length,
        stride=options.max_seq_length // 4, warmup_ratio=options.warmup_proportion, seed=options.seed,
        save_every=options.save_checkpoints_steps, keep="last",  # the script does not select a best epoch
        quiet=options.quiet)
    start = Start.of(tuning, _tokenizer(options, source), LabelMap(labels) if labels else None)
    task = make_task(start)
    task.learn(data.train)
    found = digests(tuning, [*data.train, *data.dev]) | {"--num_train_epochs": str(options.num_train_epochs)}
    with open_folder(tuning, "finetune", found, _OURS) as folder:
        keras.utils.set_random_seed(options.seed)
        prepared = prepare(start, task, folder, data, passes=options.num_train_epochs)
        train(prepared)
    step = int(keras.ops.convert_to_numpy(prepared.trained.optimizer.iterations))
    (output / _STEP).write_text(str(step))
    return step


def _tokenizer(options: RunClassifierOptions, source: Path) -> Tokenizer:
    if options.do_lower_case is None or not (options.vocab_file or (source / _VOCAB).is_file()):
        return Tokenizer.from_pretrained(source)
    return Tokenizer.from_vocab(options.vocab_file or source / _VOCAB, lowercase=options.do_lower_case)


def _trained(checkpoint: str) -> Path:
    path = resolve(checkpoint)
    if not has_task(path):
        raise ValueError(f"{checkpoint} is not a fine-tuned model; expected one, because --do_train was not given: add "
                         "--do_train, or pass the output folder of an earlier training as --init_checkpoint")
    return path


def _step_of(output: Path) -> int:
    file = output / _STEP
    return int(file.read_text()) if file.is_file() else 0


def _evaluate(predictor: Predictor, examples: list, step: int, output: Path) -> dict[str, float]:
    scores = predictor.task.score(predictor.predict_examples(examples), examples)
    if "accuracy" in scores:
        result = {"eval_accuracy": scores["accuracy"], "eval_loss": scores["loss"]}
    else:
        result = {f"eval_{name}": value for name, value in scores.items()}
    result |= {"global_step": step, "loss": result.get("eval_loss", scores.get("mse", 0.0))}
    lines = ["***** Eval results *****", *(f"  {name} = {result[name]}" for name in sorted(result))]
    print("\n".join(lines))
    output.mkdir(parents=True, exist_ok=True)
    write_text(output / "eval_results.txt", "".join(f"{name} = {result[name]}\n" for name in sorted(result)))
    return result


def _predict(predictor: Predictor, examples: list, output: Path) -> None:
    """Writes `test_results.tsv`: for each example a line with the probabilities of the labels, in their order."""
    rows = predictor.predict_examples(examples)
    if predictor.task.labels is None:
        lines = [str(row["value"]) for row in rows]
    else:
        lines = ["\t".join(str(row["probabilities"][name]) for name in predictor.task.labels.names) for row in rows]
    write_text(output / "test_results.tsv", "".join(line + "\n" for line in lines))

