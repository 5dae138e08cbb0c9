"""`tfplm fill-mask`: what a masked language model expects in the place of a mask (Devlin et al. 2018, section 3.1)."""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from keras import ops

from tfplm.data.batches.by_length import by_length
from tfplm.models.scoring.language_model import CAUSAL, LanguageModel, open_language_model
from tfplm.options.base import verb
from tfplm.options.fill_mask import FillMaskOptions

_SPELLINGS = ("[MASK]", "<mask>", "[mask]", "<MASK>", "<extra_id_0>", "___")


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A token for one mask: its text, id and probability, and the whole text with it, where further masks have their
    likeliest tokens."""

    token: str
    token_id: int
    probability: float
    text: str


def fill_mask(source, texts: str | Sequence[str], top_k: int = 5, *, tokenizer=None, batch_size: int = 16,
              dtype: str | None = None) -> list[list[list[Candidate]]]:
    """The likeliest tokens at every mask of every text.

        fill_mask("bert-base-chinese", "今天天气很[MASK]。")[0][0][0].token

    Args:
        source: a directory or hub name, or a model with a masked language model's head (then with `tokenizer`). BERT
            and its family, and BART, whose decoder writes the text again.
        texts: a text or several, each with at least one mask in the tokenizer's spelling. A text that is longer than
            the model's positions is cut around its masks.
        top_k: candidates of each mask.

    Returns:
        `[text][mask]`: the candidates, likeliest first. Each mask is looked at with all others still masked.

    Raises:
        ValueError: a text without a mask, masks that are further apart than the model can see, or a source that is no
            masked language model.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    opened = open_language_model(source, tokenizer, dtype=dtype)
    if opened.kind == CAUSAL:
        raise ValueError("this is a causal language model, which looks back only and has no masks: let it continue "
                         "the text (tfplm generate), or use a masked one")
    if not 1 <= top_k <= len(opened.tokenizer):
        raise ValueError(f"top_k is {top_k}, expected 1 to {len(opened.tokenizer)}")
    rows = encode_masked(opened, texts)
    filled = [None] * len(rows)
    for chosen in by_length([len(row) for row in rows], batch_size, longest_first=False):
        for number, candidates in zip(chosen, _fill(opened, [rows[i] for i in chosen], top_k)):
            filled[number] = candidates
    return filled


def encode_masked(opened: LanguageModel, texts: list[str]) -> list[np.ndarray]:
    """Ids of texts without special tokens around; a ValueError for the first text without a mask."""
    tokenizer = opened.tokenizer
    if tokenizer.mask_token_id is None:
        raise ValueError(f"the vocabulary ({tokenizer.family}) has no mask token: use a masked language model")
    encoded = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    for text, ids in zip(texts, encoded):
        if tokenizer.mask_token_id not in ids:
            other = next((word for word in _SPELLINGS if word in text and word != tokenizer.mask_token), None)
            raise ValueError(f"no mask in the text {text[:80]!r}: write {tokenizer.mask_token} where the model is to "
                             "fill in a token" + (f", in place of {other}" if other else ""))
    return [_window(opened, ids) for ids in encoded]


def _window(opened: LanguageModel, ids: np.ndarray) -> np.ndarray:
    """As many tokens around the masks as the model has positions for."""
    if opened.limit is None or len(ids) + len(opened.prefix) + len(opened.suffix) <= opened.limit:
        return ids
    room = opened.limit - len(opened.prefix) - len(opened.suffix)
    masks = np.flatnonzero(ids == opened.tokenizer.mask_token_id)
    first, last = int(masks[0]), int(masks[-1]) + 1
    if last - first > room:
        raise ValueError(f"a text of {len(ids)} tokens, whose masks lie {last - first} tokens apart; the model sees "
                         f"{opened.limit} at once: divide the text")
    start = min(max(0, (first + last - room) // 2), len(ids) - room)
    return ids[start:start + room]


def _fill(opened: LanguageModel, rows: list[np.ndarray], top_k: int) -> Iterator[list[list[Candidate]]]:
    batch = opened.rows(rows)
    masked = batch["input_ids"] == opened.tokenizer.mask_token_id
    counts = masked.sum(1)
    positions = np.zeros((len(rows), counts.max()), np.int32)
    for row, count in enumerate(counts):
        positions[row, :count] = np.flatnonzero(masked[row])
    logits = opened.logits({**batch, "masked_lm_positions": positions})[..., :len(opened.tokenizer)]
    values, ids = (np.asarray(x) for x in ops.top_k(ops.softmax(logits, axis=-1), top_k))
    for row, count in enumerate(counts):
        whole = batch["input_ids"][row, :batch["attention_mask"][row].sum()].copy()
        places = positions[row, :count]
        whole[places] = ids[row, :count, 0]
        yield [[_candidate(opened, whole, place, int(token), float(value))
                for token, value in zip(ids[row, mask], values[row, mask])] for mask, place in enumerate(places)]


def _candidate(opened: LanguageModel, whole: np.ndarray, place: int, token: int, probability: float) -> Candidate:
    tokenizer, filled = opened.tokenizer, whole.copy()
    filled[place] = token
    spelled = tokenizer.decode([token], skip_special_tokens=False).strip() or tokenizer.convert_ids_to_tokens(token)
    if tokenizer.rules.kind == "wordpiece":
        spelled = tokenizer.convert_ids_to_tokens(token)  # with the ## of a piece that goes on
    return Candidate(spelled, token, probability, tokenizer.decode(filled))


def _read(options: FillMaskOptions) -> Iterator[str]:
    if options.file:
        with open(options.file, encoding="utf-8") as file:
            yield from (line.strip() for line in file)
    else:
        yield from (line.strip() for line in sys.stdin)


def _show(text: str, masks: list[list[Candidate]]) -> None:
    print(text)
    for number, candidates in enumerate(masks, 1):
        if len(masks) > 1:
            print(f"  mask {number} of {len(masks)}")
        for candidate in candidates:
            print(f"  {candidate.probability:.4f}  {candidate.token}  {candidate.text}")


@verb(FillMaskOptions)
def run(options: FillMaskOptions) -> list[list[list[Candidate]]]:
    """The verb: prints each text and, below it, the candidates of its masks. Returns what `fill_mask` returns."""
    opened = open_language_model(options.source, dtype=options.dtype)
    texts = iter(options.texts or (text for text in _read(options) if text))
    typed = not options.texts and not options.file and sys.stdin.isatty()  # the answer comes after every line
    size, result = 1 if typed else options.batch_size, []
    while chunk := list(itertools.islice(texts, size)):
        filled = fill_mask(opened, chunk, options.top_k, batch_size=options.batch_size)
        for text, masks in zip(chunk, filled):
            _show(text, masks)
        result += filled
    if not result:
        raise ValueError("no text was given: name texts, --file FILE, or write one a line to standard input")
    return result
