"""`tfplm demo`: from raw text to a small language model in minutes, with the verbs vocab, records and pretrain."""

import collections
import contextlib
import dataclasses
import itertools
import re
import sys
import time
from pathlib import Path

import numpy as np

from tfplm.core.config import read_json, write_json
from tfplm.core.files import replacing
from tfplm.core.outputs import command, known_files, remove_parts
from tfplm.data.records import index as records_index
from tfplm.data.records.build import records
from tfplm.data.records.reader import TokenRecords
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.vocab import vocab
from tfplm.models.scoring.fill_mask import Candidate, fill_mask
from tfplm.options.base import verb
from tfplm.options.demo import DemoOptions
from tfplm.pretrain.result import PretrainResult
from tfplm.pretrain.run import pretrain
from tfplm.tokenizers import Tokenizer
from tfplm.training.loop.run_folder import RESULTS

STEPS = 4000  # about three minutes on two cores
MINUTES = 4.0  # time limit from the start of the demo to the end of the training, for slower machines
VOCABULARY = {"english": 3000, "chinese": 5000}
# A small model that attends to whole rows stays for long on a plateau where it only knows the frequencies of tokens. Here
# one of two layers attends to 4 tokens on each side, with rotary positions, so that it uses neighbours from the start.
ARCHITECTURE = {"preset": "modernbert-base", "hidden_size": 192, "num_hidden_layers": 2, "num_attention_heads": 6,
                "intermediate_size": 384, "max_position_embeddings": 64, "attention_window": 8, "initializer_range": 0.02}
TRAINING = {"objective": "mlm", "masked_rate": 0.3, "learning_rate": 3e-3, "beta_2": 0.98, "warmup_ratio": 0.1,
            "max_length": 32, "batch_tokens": 1024, "evaluation_batches": 48, "sample_every": 100}
GUESSES = 400  # the number of masked words in held-out sentences
_SETTINGS = "demo.json"


@dataclasses.dataclass(frozen=True)
class Filled:
    """A held-out sentence with one masked word: `text`, the original word, and the model's candidates."""

    text: str
    truth: str
    candidates: list[Candidate]


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """`training`: the result of the pre-training; `filled`: masks in held-out sentences."""

    training: PretrainResult
    filled: list[Filled]


@verb(DemoOptions)
def demo(options: DemoOptions) -> DemoResult:
    """Learns a vocabulary, writes records, pre-trains, evaluates and fills masks; see `DemoOptions`.

    Finished parts are kept: a second call resumes with the missing ones. Raises ValueError if `output` has a demo with
    other options, or for an empty corpus, and FileNotFoundError for a wrong path.
    """
    start = time.monotonic()
    text, output = options.text or ["builtin:python"], output_of(options)
    chinese = is_chinese(text, options)
    size = options.vocab_size or VOCABULARY["chinese" if chinese else "english"]
    _check_same(output, {"text": text, "vocab_size": size, "encoding": options.encoding,
                         "text_layout": options.text_layout, "seed": options.seed}, options.overwrite)
    source = {"text": text, "encoding": options.encoding, "text_layout": options.text_layout}
    try:
        _print(options, f"1  a vocabulary of {size:,} tokens from {', '.join(text)}")
        _learn_vocabulary(source, output / "vocabulary", size, options)
        _print(options, "2  the text as records")
        if not (output / "records" / records_index.INDEX).is_file():
            records(**source, output=str(output / "records"), tokenizer=str(output / "vocabulary"), held_out=0.05,
                    quiet=options.quiet, seed=options.seed)
        _print(options, f"3  pre-training, with masked {'characters' if chinese else 'words'}")
        training = _train(output, options, start)
        _print(options, "4  masks in held-out sentences")
        filled = fill_sentences(training, output / "records", options)
    except KeyboardInterrupt:
        print(f"\nThe finished parts are kept in {output}: run the same command again to resume.", file=sys.stderr)
        raise
    _print(options, "Next steps:")
    if not options.quiet:
        print(next_steps(training, options, chinese))
    return DemoResult(training, filled)


def output_of(options: DemoOptions) -> Path:
    """The folder of the demo: `--output`, else `tfplm-demo` with the name of the first text, if one is given."""
    name = re.sub(r"[^\w.-]+", "-", Path(options.text[0]).stem).strip("-.") if options.text else ""
    return Path(options.output or "-".join(filter(None, ["tfplm-demo", name])))


def is_chinese(text: list[str], options: DemoOptions, characters: int = 20_000) -> bool:
    """Returns True if the start of the corpus is mostly Chinese."""
    counts = {False: 0, True: 0}
    for document in read_documents(text, options.text_layout, options.encoding):
        for letter in itertools.chain.from_iterable(document):
            if letter.isalpha():
                counts["\u3400" <= letter <= "\u9fff"] += 1
        if sum(counts.values()) > characters:
            break
    return counts[True] > counts[False]


def _print(options: DemoOptions, line: str) -> None:
    if not options.quiet:
        print(f"\n{line}", flush=True)


def _check_same(output: Path, settings: dict, overwrite: bool) -> None:
    """Raises ValueError for the folder of another demo, FileExistsError for one with other files; otherwise records the
    settings in it."""
    path = output / _SETTINGS
    known_files(output, (_SETTINGS,))
    before = read_json(path) if path.is_file() else settings
    if overwrite and (before != settings or (output / "model" / RESULTS).is_file()):
        remove_parts(output, ("vocabulary*", "records", "model", "logs", _SETTINGS))
    elif before != settings:
        changes = [f"{name} {before.get(name)!r}, now {value!r}" for name, value in settings.items()
                   if before.get(name) != value]
        raise ValueError(f"{output} has a demo with other options ({'; '.join(changes)}): choose another --output, or "
                         "add --overwrite to start again")
    output.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _learn_vocabulary(source: dict, folder: Path, size: int, options: DemoOptions) -> None:
    if folder.is_dir():
        return
    with replacing(folder) as temporary, contextlib.redirect_stdout(None):  # the report would name the temporary folder
        tokenizer = vocab(**source, output=str(temporary), vocab_size=size, character_coverage=0.9995,
                          quiet=options.quiet)
    if not options.quiet:
        print(f"{folder}: {len(tokenizer):,} tokens")


def _train(output: Path, options: DemoOptions, start: float) -> PretrainResult:
    steps, minutes = options.steps or STEPS, options.minutes
    if options.steps is None and minutes is None:
        minutes = max(1.0, MINUTES - (time.monotonic() - start) / 60)
    return pretrain(records=[str(output / "records")], output=str(output / "model"), log_dir=str(output / "logs"),
                    steps=steps, minutes=minutes, evaluate_every=max(1, -(-steps // 4)), save_every=max(100, steps // 10),
                    seed=options.seed, quiet=options.quiet, dtype="float32", **ARCHITECTURE, **TRAINING)


def fill_sentences(training: PretrainResult, folder: Path, options: DemoOptions) -> list[Filled]:
    """Masks a word in each of some held-out sentences; prints the first examples and the accuracy of the model."""
    tokenizer, rng = training.tokenizer, np.random.default_rng(options.seed)
    masked = list(itertools.islice(_masked_sentences(folder, tokenizer, rng), max(GUESSES, options.sentences)))
    if not masked:
        return []
    found = fill_mask(training.model, [text for text, _ in masked], top_k=5, tokenizer=tokenizer)
    filled = [Filled(text, truth, masks[0]) for (text, truth), masks in zip(masked, found)]
    for example in filled[:options.sentences]:
        guesses = "   ".join(f"{candidate.token} {candidate.probability:.0%}" for candidate in example.candidates)
        print(f"   {example.text}\n      {guesses}   (original: {example.truth})")
    first, five = (np.mean([example.truth in [c.token for c in example.candidates[:count]] for example in filled])
                   for count in (1, 5))
    word, count = collections.Counter(example.truth for example in filled).most_common(1)[0]
    share = count / len(filled)
    better = f", {first / share:.1f} times the baseline" if first > share else ""
    print(f"   of {len(filled)} masked words the first guess is right for {first:.0%}{better}, one of five for {five:.0%}; "
          f"baseline, always {word!r}: {share:.0%}")
    return filled[:options.sentences]


def _masked_sentences(folder: Path, tokenizer: Tokenizer, rng: np.random.Generator):
    """(sentence with one whole word masked, that word), in random order, for sentences of medium length."""
    sentences = [ids for window in TokenRecords(folder, "held-out").windows() for document in window
                 for ids in np.split(document.ids, np.cumsum(document.sentence_lengths)[:-1]) if 10 <= len(ids) <= 32]
    for index in rng.permutation(len(sentences)):
        tokens = tokenizer.convert_ids_to_tokens(sentences[index])
        whole = [position for position in range(1, len(tokens) - 1)
                 if tokens[position].isalpha() and not tokens[position + 1].startswith("##")]
        if not whole or tokenizer.unk_token in tokens:
            continue
        position = int(rng.choice(whole))
        before, after = (tokenizer.decode(part)
                         for part in (sentences[index][:position], sentences[index][position + 1:]))
        gap = " " if tokens[position].isascii() else ""
        yield f"{before}{gap}{tokenizer.mask_token}{gap}{after}", tokens[position]


def next_steps(training: PretrainResult, options: DemoOptions, chinese: bool) -> str:
    """The commands to try next."""
    model, text = training.output, ["--text", *options.text] if options.text else []
    example = "次日天[MASK]，众将来见。" if chinese else "return the [MASK] of the file."
    lines = [command("tensorboard", "--logdir", training.log_dir), command("tfplm", "fill-mask", model, example),
             command("tfplm", "demo", *text, "--steps", "20000", "--output", f"{output_of(options)}-long"),
             command("tfplm", "finetune", "--init", model, "--help"),
             command("tfplm", "encode", "--init", model, "--help")]
    return "\n".join(f"   {line}" for line in lines)
