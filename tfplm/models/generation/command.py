"""`tfplm generate`: continuation of prompts, translation and summaries; with masked models, Gibbs sampling."""

import dataclasses
import secrets
import sys
from collections.abc import Iterator

from tfplm.models.pretrained.api import from_pretrained
from tfplm.models.pretrained.source import Source, open_source
from tfplm.models.scoring.gibbs import GibbsSettings, sample
from tfplm.models.scoring.language_model import open_language_model
from tfplm.options import verb
from tfplm.options.generate import GenerateOptions, GenerationOptions

_MASKED = ("masked_lm", "pretraining")  # heads
# options that Gibbs sampling has not
_NOT_GIBBS = ("stream", "stop", "num_beams", "min_new_tokens", "no_repeat_ngram_size", "repetition_penalty", "top_p",
              "min_p", "typical_p", "eos_token_id", "forced_bos_token_id", "forced_eos_token_id", "stop_sequences")


@verb(GenerateOptions)
def generate(options: GenerateOptions) -> list[str]:
    """Prints and returns the generated texts, `num_return_sequences` for each prompt."""
    if options.stream and (options.num_beams > 1 or len(options.prompts) != 1 or options.num_return_sequences > 1):
        raise ValueError(f"--stream with {len(options.prompts)} prompts, num_beams {options.num_beams} and "
                         f"num_return_sequences {options.num_return_sequences}; expected one prompt as an argument, "
                         "and 1 for both numbers: change them, or omit --stream")
    source = open_source(options.source)
    if _is_masked(source):
        return _gibbs(source, options)
    tokenizer, model = source.tokenizer(), from_pretrained(source, _head(source), dtype=options.dtype)
    prompts = options.prompts or [line.rstrip("\n") for line in sys.stdin]
    texts = []
    for start in range(0, len(prompts), options.batch_size):
        for text in _generate(model, tokenizer, prompts[start:start + options.batch_size], options):
            if not options.stream:
                print(text, flush=True)
            texts.append(text)
    return texts


def _is_masked(source: Source) -> bool:
    """Whether a source is a masked language model; a `.keras` file by the head that it contains."""
    config = source.config
    return (config.architecture == "encoder" and config.attention_type == "full"
            and (source.layout != "keras" or source.head in _MASKED))


def _gibbs(source: Source, options: GenerateOptions) -> list[str]:
    """The verb for a masked language model."""
    defaults = {field.name: field.default for field in dataclasses.fields(GenerateOptions)}
    if unused := [name for name in _NOT_GIBBS if (getattr(options, name) or None) != (defaults[name] or None)]:
        raise ValueError(f"{source} is a masked language model, which samples text by Gibbs sampling, without "
                         f"{', '.join(unused)}: omit this, or use a model such as gpt2")
    opened, texts = open_language_model(source, dtype=options.dtype), []
    prompts = options.prompts or ([] if sys.stdin.isatty() else [line.rstrip("\n") for line in sys.stdin]) or [""]
    for prompt in prompts:
        settings = GibbsSettings(
            length=options.max_new_tokens, prompt=prompt, updates=options.updates, sweeps=options.sweeps,
            burn_in=options.burn_in, temperature=options.temperature, top_k=50 if options.top_k is None else options.top_k,
            seed=secrets.randbelow(1 << 32) if options.seed is None else options.seed,
            batch_size=options.batch_size)
        for text in sample(opened, options.num_return_sequences, settings, not options.quiet, options.full):
            print(text, flush=True)
            texts.append(text)
    return texts


def _head(source: Source) -> str | None:
    """The language model's head for the architecture of a source; for a `.keras` file the head it contains."""
    if source.layout == "keras":
        return source.head
    return "seq2seq_lm" if source.config.architecture == "seq2seq" else "causal_lm"


def _generate(model, tokenizer, prompts: list[str], options: GenerateOptions) -> Iterator[str]:
    seq2seq = model.is_seq2seq
    batch = tokenizer(prompts, add_special_tokens=seq2seq)
    keywords = {field.name: getattr(options, field.name) for field in dataclasses.fields(GenerationOptions)}
    stops = options.stop or []
    keywords["stop_sequences"] = options.stop_sequences + [
        tokenizer(stop, add_special_tokens=False)["input_ids"][0].tolist() for stop in stops]
    printer = _Printer(tokenizer, stops, prompts[0] if options.full else "") if options.stream else None
    ids = model.generate({name: batch[name] for name in ("input_ids", "attention_mask")}, on_token=printer, **keywords)
    if printer is not None:
        printer.finish()
    for row, sequence in enumerate(ids):
        prompt = row // options.num_return_sequences
        if not seq2seq:  # the rows start with their prompts, padded on the side that the tokenizer pads
            right = tokenizer.padding_side == "right"
            sequence = sequence[int(batch["attention_mask"][prompt].sum()) if right else batch["input_ids"].shape[1]:]
        text = until(tokenizer.decode(sequence), stops)
        yield prompts[prompt] + text if options.full and not seq2seq else text.strip() if seq2seq else text


def until(text: str, stops: list[str]) -> str:
    """The text before the first occurrence of any of the `stops`."""
    positions = [text.find(stop) for stop in stops if stop and stop in text]
    return text[:min(positions)] if positions else text


def _partial_stop(text: str, stops: list[str]) -> int:
    """The number of characters at the end of the text with which one of the `stops` starts."""
    return max((n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])), default=0)


class _Printer:
    """Prints a text while its tokens are generated.

    It delays the end of the text while that may change: incomplete bytes of a character, and the start of a stop text.
    """

    def __init__(self, tokenizer, stops: list[str], prompt: str):
        self.tokenizer, self.stops, self.ids, self.shown = tokenizer, stops, [], 0
        print(prompt, end="", flush=True)

    def __call__(self, ids) -> bool:
        self.ids.append(int(ids[0]))
        whole = self.tokenizer.decode(self.ids)
        text = until(whole, self.stops)
        ready = text.rstrip("\N{REPLACEMENT CHARACTER}")
        if text == whole:
            ready = ready[:len(ready) - _partial_stop(ready, self.stops)]
        print(ready[self.shown:], end="", flush=True)
        self.shown = max(self.shown, len(ready))
        return text == whole

    def finish(self):
        print(until(self.tokenizer.decode(self.ids), self.stops)[self.shown:], flush=True)
