"""`tfplm fill-mask`: predictions of a masked language model for masked tokens (Devlin et al. 2019, section 3.1)."""

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Sequence

import numpy as np
from keras import ops

from tfplm.core.terminal.results import Results, check_output, probability
from tfplm.data.batches.by_length import by_length
from tfplm.models.scoring.language_model import CAUSAL, LanguageModel, open_language_model
from tfplm.options.base import verb
from tfplm.options.fill_mask import FillMaskOptions

_SPELLINGS = ("[MASK]", "<mask>", "[mask]", "<MASK>", "<extra_id_0>", "___")
_UNSURE = 10  # the best candidate of a model that has learned something has more than this multiple of chance


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A predicted token for one mask.

    Attributes:
        token: the token as text.
        token_id: its id.
        probability: its probability.
        text: the whole text with the token filled in; other masks are replaced by their most likely tokens.
    """

    token: str
    token_id: int
    probability: float
    text: str


def fill_mask(source, texts: str | Sequence[str], top_k: int = 5, *, tokenizer=None, batch_size: int = 16,
              dtype: str | None = None) -> list[list[list[Candidate]]]:
    """Predicts the most likely tokens for every mask of every text.

        fill_mask("bert-base-chinese", "今天天气很[MASK]。")[0][0][0].token

    Args:
        source: a directory or hub name, or a model with a masked language model's head (then with `tokenizer`). BERT
            and similar models, and BART, whose decoder reconstructs the text.
        texts: a text or several, each with at least one mask token of the tokenizer. A text with more tokens than the
            model has positions is truncated on both sides of its masks.
        top_k: number of candidates for each mask.

    Returns:
        `[text][mask]`: the candidates, most likely first. Each mask is predicted with all other masks in place.

    Raises:
        ValueError: a text without a mask, masks further apart than the model has positions, or a source that is not a
            masked language model.
    """
    texts = [texts] if isinstance(texts, str) else list(texts)
    opened = open_language_model(source, tokenizer, dtype=dtype)
    if opened.kind == CAUSAL:
        raise ValueError("the source is a causal language model, which predicts from the left only and has no masks; "
                         "expected a masked one: use such a model, or continue the text with tfplm generate")
    if not 1 <= top_k <= len(opened.tokenizer):
        raise ValueError(f"top_k is {top_k}; expected 1 to {len(opened.tokenizer)}, the size of the vocabulary")
    rows = encode_masked(opened, texts)
    filled = [None] * len(rows)
    for chosen in by_length([len(row) for row in rows], batch_size, longest_first=False):
        for index, candidates in zip(chosen, _fill(opened, [rows[i] for i in chosen], top_k)):
            filled[index] = candidates
    return filled


def encode_masked(opened: LanguageModel, texts: list[str]) -> list[np.ndarray]:
    """Encodes texts without special tokens; raises ValueError for the first text without a mask."""
    tokenizer = opened.tokenizer
    if tokenizer.mask_token_id is None:
        raise ValueError(f"the vocabulary ({tokenizer.family}) has no mask token; expected that of a masked language "
                         "model: use such a model")
    encoded = tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
    for text, ids in zip(texts, encoded):
        if tokenizer.mask_token_id not in ids:
            other = next((word for word in _SPELLINGS if word in text and word != tokenizer.mask_token), None)
            raise ValueError(f"there is no mask in the text {text[:80]!r}; expected at least one: write "
                             f"{tokenizer.mask_token} where the model shall fill in a token"
                             + (f", in place of {other}" if other else ""))
    return [_window(opened, ids) for ids in encoded]


def _window(opened: LanguageModel, ids: np.ndarray) -> np.ndarray:
    """The tokens around the masks, as many as the model has positions."""
    if opened.limit is None or len(ids) + len(opened.prefix) + len(opened.suffix) <= opened.limit:
        return ids
    room = opened.limit - len(opened.prefix) - len(opened.suffix)
    masks = np.flatnonzero(ids == opened.tokenizer.mask_token_id)
    first, last = int(masks[0]), int(masks[-1]) + 1
    if last - first > room:
        raise ValueError(f"the masks of a text of {len(ids)} tokens are spread over {last - first} tokens, but the "
                         f"model has {opened.limit} positions: split the text")
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
        masks = positions[row, :count]
        whole[masks] = ids[row, :count, 0]
        yield [[_candidate(opened, whole, position, int(token), float(value))
                for token, value in zip(ids[row, mask], values[row, mask])] for mask, position in enumerate(masks)]


def _candidate(opened: LanguageModel, whole: np.ndarray, position: int, token: int, probability: float) -> Candidate:
    tokenizer, filled = opened.tokenizer, whole.copy()
    filled[position] = token
    text = tokenizer.decode([token], skip_special_tokens=False).strip() or tokenizer.convert_ids_to_tokens(token)
    if tokenizer.rules.kind == "wordpiece":
        text = tokenizer.convert_ids_to_tokens(token)  # with the ## of a piece that continues a word
    return Candidate(text, token, probability, tokenizer.decode(filled))


def _read(options: FillMaskOptions) -> Iterator[str]:
    if options.file:
        with open(options.file, encoding="utf-8") as file:
            yield from (line.strip() for line in file)
    else:
        yield from (line.strip() for line in sys.stdin)


def _row(text: str, masks: list[list[Candidate]]) -> dict:
    return {"text": text, "masks": [[dataclasses.asdict(candidate) for candidate in candidates] for candidates in masks]}


def _as_text(row: dict, vocabulary: int) -> str:
    """A text, and below it the candidates for each mask with their probabilities."""
    lines = [row["text"]]
    for index, candidates in enumerate(row["masks"], 1):
        if len(row["masks"]) > 1:
            lines.append(f"  mask {index} of {len(row['masks'])}")
        lines += [f"  {probability(one['probability']):>5}  {one['token']}  {one['text']}" for one in candidates]
        if (best := candidates[0]["probability"]) < _UNSURE / vocabulary:
            lines.append(f"  the model is unsure: the best has {best:.2%}, and each of {vocabulary:,} tokens would have "
                         f"{1 / vocabulary:.2%} by chance")
    return "\n".join(lines)


@verb(FillMaskOptions)
def run(options: FillMaskOptions) -> list[list[list[Candidate]]]:
    """Runs the verb: prints each text with the candidates for its masks; returns those of `fill_mask`."""
    check_output(options.output, options.overwrite)  # before the model is loaded
    opened = open_language_model(options.source, dtype=options.dtype)
    results = Results(options.json, options.output, overwrite=options.overwrite,
                      as_text=lambda row: _as_text(row, len(opened.tokenizer)))
    texts = iter(options.texts or (text for text in _read(options) if text))
    typed = not options.texts and not options.file and sys.stdin.isatty()  # respond to every line
    size, result = 1 if typed else options.batch_size, []
    with results:
        while chunk := list(itertools.islice(texts, size)):
            filled = fill_mask(opened, chunk, options.top_k, batch_size=options.batch_size)
            for text, masks in zip(chunk, filled):
                results.show(_row(text, masks))
            result += filled
    if not result:
        raise ValueError("there is no text; expected at least one: pass texts, --file FILE, or standard input with one "
                         "text per line")
    return result
