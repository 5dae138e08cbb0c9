"""`tfplm demo`: from raw text to a small language model in minutes, by the verbs vocab, records and pretrain."""

import collections
import contextlib
import dataclasses
import itertools
import sys
import time
from pathlib import Path

import numpy as np

from tfplm.core.config import read_json, write_json
from tfplm.core.files import replacing
from tfplm.data.records import index as records_index
from tfplm.data.records.build import records
from tfplm.data.records.reader import TokenRecords
from tfplm.data.text.corpus import read_documents
from tfplm.data.text.vocab import vocab
from tfplm.models.scoring.fill_mask import Candidate, fill_mask
from tfplm.models.scoring.gibbs import gibbs_sample
from tfplm.options.base import verb
from tfplm.options.demo import DemoOptions
from tfplm.pretrain.result import PretrainResult
from tfplm.pretrain.run import pretrain
from tfplm.tokenizers import Tokenizer

STEPS = 2600  # about three minutes on two cores
MINUTES = 4.0  # from the start of the demo to the end of the training, after which slower machines stop it
VOCABULARY = {"english": 3000, "chinese": 5000}
# Before a small model looks at neighbours at all, it passes through a long plateau where it knows no more than how often
# tokens occur. These numbers make it short: few layers, short rows (neighbours stand out), small batches (many steps),
# wide initial weights (attention is not uniform at first), and a learning rate near the highest that is stable.
ARCHITECTURE = {"preset": "albert-base-v2", "hidden_size": 192, "num_hidden_layers": 2, "num_attention_heads": 6,
                "intermediate_size": 768, "embedding_size": 128, "max_position_embeddings": 64,
                "initializer_range": 0.08}
TRAINING = {"objective": "mlm+sop", "masked_rate": 0.2, "learning_rate": 1.5e-3, "beta_2": 0.98, "warmup_ratio": 0.1,
            "max_length": 32, "batch_tokens": 1024, "evaluation_batches": 48}
GUESSES = 200  # masked words in sentences that the model has not seen
_SETTINGS = "demo.json"


@dataclasses.dataclass(frozen=True)
class Filled:
    """A held-out sentence with one word masked: `text`, the word that stood there, and the model's candidates."""

    text: str
    truth: str
    candidates: list[Candidate]


@dataclasses.dataclass(frozen=True)
class DemoResult:
    """`training`: the numbers of the pre-training; `filled`: masks in held-out sentences; `generated`: texts by Gibbs
    sampling."""

    training: PretrainResult
    filled: list[Filled]
    generated: list[str]


@verb(DemoOptions)
def demo(options: DemoOptions) -> DemoResult:
    """Learns a vocabulary, makes records, pre-trains, evaluates, fills masks, generates; see `DemoOptions`.

    Each part is kept: started again, the demo goes on with what is missing. Raises ValueError where `output` holds the
    demo of another text, and for an empty corpus; FileNotFoundError for a wrong path.
    """
    begin = time.monotonic()
    text, output = options.text or ["builtin:python"], Path(options.output)
    chinese = is_chinese(text, options)
    size = options.vocab_size or VOCABULARY["chinese" if chinese else "english"]
    _check_same(output, {"text": text, "vocab_size": size, "encoding": options.encoding,
                         "text_layout": options.text_layout, "seed": options.seed})
    source = {"text": text, "encoding": options.encoding, "text_layout": options.text_layout}
    try:
        _say(options, f"1  a vocabulary of {size:,} tokens from {', '.join(text)}")
        _learn_vocabulary(source, output / "vocabulary", size, options)
        _say(options, "2  the text as records")
        if not (output / "records" / records_index.INDEX).is_file():
            records(**source, output=str(output / "records"), tokenizer=str(output / "vocabulary"), held_out=0.05,
                    quiet=options.quiet, seed=options.seed)
        _say(options, f"3  pre-training, with masked {'characters' if chinese else 'words'} and sentence order")
        training = _train(output, options, begin)
        _say(options, "4  masks in sentences that the model has not seen")
        filled = fill_sentences(training, output / "records", options)
        _say(options, "5  sentences out of nothing, by Gibbs sampling")
        generated = gibbs_sample(training.model, options.sentences, tokenizer=training.tokenizer, length=14,
                                 sweeps=8, burn_in=3, top_k=20, temperature=0.8, seed=options.seed)
    except KeyboardInterrupt:
        print(f"\nWhat is done is kept in {output}: the same command goes on from there.", file=sys.stderr)
        raise
    for sentence in generated:
        print(f"   {sentence}")
    _say(options, "What next:")
    if not options.quiet:
        print(next_steps(training, options, chinese))
    return DemoResult(training, filled, generated)


def is_chinese(text: list[str], options: DemoOptions, characters: int = 20_000) -> bool:
    """Whether the begin of the corpus is mostly Chinese."""
    counts = {False: 0, True: 0}
    for document in read_documents(text, options.text_layout, options.encoding):
        for letter in itertools.chain.from_iterable(document):
            if letter.isalpha():
                counts["\u3400" <= letter <= "\u9fff"] += 1
        if sum(counts.values()) > characters:
            break
    return counts[True] > counts[False]


def _say(options: DemoOptions, line: str) -> None:
    if not options.quiet:
        print(f"\n{line}", flush=True)


def _check_same(output: Path, settings: dict) -> None:
    """Refuses the folder of another demo, and writes down whose it is now."""
    path = output / _SETTINGS
    if path.is_file() and (before := read_json(path)) != settings:
        changes = [f"{name} {before.get(name)!r}, now {value!r}" for name, value in settings.items()
                   if before.get(name) != value]
        raise ValueError(f"{output} holds a demo with other options ({'; '.join(changes)}): choose another --output, "
                         "or delete that folder to start anew")
    output.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _learn_vocabulary(source: dict, place: Path, size: int, options: DemoOptions) -> None:
    if place.is_dir():
        return
    with replacing(place) as beside, contextlib.redirect_stdout(None):  # its report would name the folder beside
        tokenizer = vocab(**source, output=str(beside), vocab_size=size, character_coverage=0.9995,
                          quiet=options.quiet)
    if not options.quiet:
        print(f"{place}: {len(tokenizer):,} tokens")


def _train(output: Path, options: DemoOptions, begin: float) -> PretrainResult:
    steps, minutes = options.steps or STEPS, options.minutes
    if options.steps is None and minutes is None:
        minutes = max(1.0, MINUTES - (time.monotonic() - begin) / 60)
    return pretrain(records=[str(output / "records")], output=str(output / "model"), log_dir=str(output / "logs"),
                    steps=steps, minutes=minutes, evaluate_every=max(1, -(-steps // 4)), save_every=max(100, steps // 10),
                    seed=options.seed, quiet=options.quiet, **ARCHITECTURE, **TRAINING)


def fill_sentences(training: PretrainResult, folder: Path, options: DemoOptions) -> list[Filled]:
    """Masks a word in each of some held-out sentences; prints how many the model knows, and the first examples."""
    tokenizer, rng = training.tokenizer, np.random.default_rng(options.seed)
    masked = list(itertools.islice(_masked_sentences(folder, tokenizer, rng), max(GUESSES, options.sentences)))
    if not masked:
        return []
    found = fill_mask(training.model, [text for text, _ in masked], top_k=5, tokenizer=tokenizer)
    filled = [Filled(text, truth, masks[0]) for (text, truth), masks in zip(masked, found)]
    for example in filled[:options.sentences]:
        guesses = "   ".join(f"{candidate.token} {candidate.probability:.0%}" for candidate in example.candidates)
        print(f"   {example.text}\n      {guesses}   (it was: {example.truth})")
    first, five = (np.mean([example.truth in [c.token for c in example.candidates[:count]] for example in filled])
                   for count in (1, 5))
    word, count = collections.Counter(example.truth for example in filled).most_common(1)[0]
    print(f"   of {len(filled)} masked words the first guess is right for {first:.0%}, one of five for {five:.0%}; "
          f"always {word!r}: {count / len(filled):.0%}")
    return filled[:options.sentences]


def _masked_sentences(folder: Path, tokenizer: Tokenizer, rng: np.random.Generator):
    """(sentence with one whole word masked, that word), in random order, of middling length."""
    sentences = [ids for window in TokenRecords(folder, "held-out").windows() for document in window
                 for ids in np.split(document.ids, np.cumsum(document.sentence_lengths)[:-1]) if 10 <= len(ids) <= 32]
    for number in rng.permutation(len(sentences)):
        tokens = tokenizer.convert_ids_to_tokens(sentences[number])
        whole = [place for place in range(1, len(tokens) - 1)
                 if tokens[place].isalpha() and not tokens[place + 1].startswith("##")]
        if not whole or tokenizer.unk_token in tokens:
            continue
        place = int(rng.choice(whole))
        before, after = (tokenizer.decode(part) for part in (sentences[number][:place], sentences[number][place + 1:]))
        gap = " " if tokens[place].isascii() else ""
        yield f"{before}{gap}{tokenizer.mask_token}{gap}{after}", tokens[place]


def next_steps(training: PretrainResult, options: DemoOptions, chinese: bool) -> str:
    """Commands to try next."""
    model, longer = training.output, f"{Path(options.output)}-long"
    text = "".join(f" {name}" for name in options.text)
    example = "次日天[MASK]，众将来见。" if chinese else "return the [MASK] of the file."
    lines = [f"tensorboard --logdir {training.log_dir}", f'tfplm fill-mask {model} "{example}"',
             f"tfplm demo{' --text' + text if text else ''} --steps 20000 --output {longer}",
             f"tfplm finetune --init {model} --help", f"tfplm encode --init {model} --help"]
    return "\n".join(f"   {line}" for line in lines)
