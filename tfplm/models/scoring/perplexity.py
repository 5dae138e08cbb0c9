"""`tfplm perplexity`: perplexity and pseudo-perplexity of texts of any length, computed in batches."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import numpy as np
from keras import ops
from tqdm import tqdm

from tfplm.core.rounding import round_up
from tfplm.core.terminal.results import Results
from tfplm.data.text.text_files import find_files, read_lines
from tfplm.models.scoring.language_model import CAUSAL, MASKED, SEQ2SEQ, LanguageModel, open_language_model
from tfplm.models.scoring.windows import causal_windows, masked_windows
from tfplm.options.base import verb
from tfplm.options.perplexity import PerplexityOptions, ScoringOptions

_MAX_LOGITS = 1 << 26  # in a batch: 256 MB


@dataclasses.dataclass(frozen=True)
class TextScore:
    """The score of one text: `log_probability` in nats is the sum over its `tokens` scored tokens."""

    log_probability: float
    tokens: int

    @property
    def perplexity(self) -> float:
        return _exp(-self.log_probability / self.tokens) if self.tokens else float("nan")


@dataclasses.dataclass(frozen=True)
class Perplexity:
    """The result of `perplexity`.

    Attributes:
        kind: "causal", "masked" (pseudo-perplexity) or "seq2seq".
        scores: of every text, in order.
        tokens: number of scored tokens.
        loss: mean negative log-probability of a token, in nats.
    """

    kind: str
    scores: tuple[TextScore, ...]

    @property
    def tokens(self) -> int:
        return sum(score.tokens for score in self.scores)

    @property
    def loss(self) -> float:
        return -math.fsum(score.log_probability for score in self.scores) / self.tokens

    @property
    def perplexity(self) -> float:
        return _exp(self.loss)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of the model's batch: token ids, the columns of the predictions, and the tokens to predict there.

    `text` is the index of the text, `encoder` the ids of the source of an encoder-decoder.
    """

    text: int
    ids: np.ndarray
    columns: np.ndarray
    targets: np.ndarray
    encoder: np.ndarray | None = None


def perplexity(source, texts: str | Sequence[str], targets: str | Sequence[str] | None = None, *, tokenizer=None,
               dtype: str | None = None, progress: bool = False, **options) -> Perplexity:
    """Computes the perplexity of texts, over all tokens of all texts.

    - Causal models: each token is predicted from the tokens before it in its text, within a window of `max_length`. The
      first token of a text is not scored unless `bos=True`.
    - Masked models: pseudo-perplexity (Salazar et al. 2020, section 2): each token is masked alone, and predicted from
      all others.
    - Encoder-decoders: perplexity of `targets`, given `texts`, including the end token.

    Args:
        source: a directory or hub name, or a model with a language model's head (then with `tokenizer`).
        options: fields of `tfplm.options.perplexity.ScoringOptions`: max_length, stride, max_tokens, ...

    Raises:
        ValueError: there is no token to score, the stride is larger than a window, or the source is not a language
            model.
    """
    options = ScoringOptions(**options)
    opened = open_language_model(source, tokenizer, dtype=dtype)
    texts = [texts] if isinstance(texts, str) else list(texts)
    if (opened.kind == SEQ2SEQ) != (targets is not None):
        raise ValueError("targets is None; an encoder-decoder scores targets given texts: pass both, or lines SOURCE "
                         "TAB TARGET" if targets is None else "targets were passed, which are for encoder-decoders "
                         f"only, but this is a {opened.kind} model: omit them")
    if targets is not None:
        targets = [targets] if isinstance(targets, str) else list(targets)
        if len(targets) != len(texts):
            raise ValueError(f"there are {len(texts)} texts and {len(targets)} targets; expected equally many")
    rows = {CAUSAL: causal_rows, MASKED: masked_rows}.get(opened.kind, seq2seq_rows)(opened, texts, targets, options)
    size = options.batch_size * (8 if opened.kind == MASKED else 1)
    sums, counts = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    with tqdm(unit="token", unit_scale=True, desc="scoring", disable=None if progress else True) as bar:
        for batch in _batches(rows, size, opened.model.config.vocab_size):
            for row, value in zip(batch, _log_probabilities(opened, batch)):
                sums[row.text] += value
                counts[row.text] += len(row.targets)
            bar.update(sum(len(row.targets) for row in batch))
    if not counts.sum():
        raise ValueError("there is no token to score; expected at least one: the text is empty" + (
            ", or a single token without a preceding one (bos=True scores it)" if opened.kind == CAUSAL else ""))
    return Perplexity(opened.kind, tuple(TextScore(float(s), int(n)) for s, n in zip(sums, counts)))


def _batches(rows: Iterator[Row], size: int, vocabulary: int) -> Iterator[list[Row]]:
    """Groups rows into batches of at most `size`, with at most `_MAX_LOGITS` logits."""
    batch, widest = [], 0
    for row in rows:
        widest = max(widest, len(row.targets))
        if len(batch) == size or (batch and (len(batch) + 1) * widest * vocabulary > _MAX_LOGITS):
            yield batch
            batch, widest = [], len(row.targets)
        batch.append(row)
    if batch:
        yield batch


def _window_size(opened: LanguageModel, options: ScoringOptions, default: int, special: int) -> tuple[int, int]:
    """(number of text tokens in a window, stride); `special` is the number of special tokens in a window."""
    limit = options.max_length or min(opened.limit or default, default)
    if opened.limit is not None and limit > opened.limit:
        raise ValueError(f"max_length is {limit}; expected at most {opened.limit}, the positions of the model")
    size = limit - special
    stride = max(1, size // 2) if options.stride is None else options.stride
    if size < 2 or stride > size:
        raise ValueError(f"stride is {stride}; expected at most {size}, the text tokens of a window of max_length "
                         f"{limit}, so that no token is skipped; and at least 2 text tokens in a window")
    return size, stride


def _limited(tokens: int | None, rows: Iterator[Row]) -> Iterator[Row]:
    """The first rows, with at most `tokens` targets in total (None: all rows)."""
    remaining = math.inf if tokens is None else tokens
    for row in rows:
        if len(row.targets) > remaining:
            row = dataclasses.replace(row, columns=row.columns[:int(remaining)], targets=row.targets[:int(remaining)])
        if not len(row.targets):
            return
        remaining -= len(row.targets)
        yield row


def causal_rows(opened: LanguageModel, texts: list[str], targets: None, options: ScoringOptions) -> Iterator[Row]:
    """Windows of every text; the token of column c is predicted at column c - 1."""
    config, tokenizer = opened.model.config, opened.tokenizer
    if config.attention_type == "causal_reverse":
        raise ValueError("attention_type is 'causal_reverse': the model reads from right to left; expected 'causal', "
                         "for perplexity from left to right: use another model")
    first = []
    if options.bos:
        if tokenizer.bos_token_id is None and tokenizer.cls_token_id is None:
            raise ValueError(f"bos is True, but the vocabulary ({tokenizer.family}) has no start token; expected "
                             "bos_token or cls_token: omit bos")
        first = [tokenizer.cls_token_id if tokenizer.bos_token_id is None else tokenizer.bos_token_id]
    size, stride = _window_size(opened, options, 1024, 0)

    def rows() -> Iterator[Row]:
        for text, ids in enumerate(_encode(tokenizer, texts)):
            ids = np.concatenate([np.array(first, np.int32), ids])
            for window in causal_windows(len(ids), size, stride):
                positions = np.arange(window.first, window.last)
                yield Row(text, ids[window.start:window.end], positions - 1 - window.start, ids[positions])

    return _limited(options.max_tokens, rows())


def masked_rows(opened: LanguageModel, texts: list[str], targets: None, options: ScoringOptions) -> Iterator[Row]:
    """A row for each token, in which only this token is masked."""
    mask = opened.tokenizer.mask_token_id
    if mask is None:
        raise ValueError(f"the vocabulary ({opened.tokenizer.family}) has no mask token, which pseudo-perplexity "
                         "needs: use the tokenizer of a masked language model")
    size, stride = _window_size(opened, options, 128, len(opened.prefix) + len(opened.suffix))

    def rows() -> Iterator[Row]:
        for text, ids in enumerate(_encode(opened.tokenizer, texts)):
            for window in masked_windows(len(ids), size, stride):
                for position in range(window.first, window.last):
                    masked = ids[window.start:window.end].copy()
                    masked[position - window.start] = mask
                    row = np.array([*opened.prefix, *masked, *opened.suffix], np.int32)
                    column = position - window.start + len(opened.prefix)
                    yield Row(text, row, np.array([column]), ids[position:position + 1])

    return _limited(options.max_tokens, rows())


def seq2seq_rows(opened: LanguageModel, texts: list[str], targets: list[str], options: ScoringOptions) -> Iterator[Row]:
    """A row for each target; each of its tokens is predicted in the column of the preceding token."""
    limit = options.max_length or opened.limit
    truncation = {"max_length": limit} if limit else {"truncation": False}

    def rows() -> Iterator[Row]:
        for index, (text, target) in enumerate(zip(texts, targets)):
            encoder, decoder = (opened.tokenizer([each], padding=False, **truncation)["input_ids"][0]
                                for each in (text, target))
            yield Row(index, decoder, np.arange(len(decoder)), decoder, encoder)

    return _limited(options.max_tokens, rows())


def _encode(tokenizer, texts: list[str]) -> Iterator[np.ndarray]:
    """Encodes one text at a time, so that the ids of a corpus need not fit into memory."""
    for text in texts:
        yield tokenizer([text], padding=False, truncation=False, add_special_tokens=False)["input_ids"][0]


def _log_probabilities(opened: LanguageModel, rows: list[Row]) -> np.ndarray:
    """The sums of the log-probabilities of the targets of each row, float64 `[B]`."""
    batch = opened.rows([row.ids for row in rows], framed=False)
    if opened.kind == SEQ2SEQ:
        labels = batch
        batch = opened.rows([row.encoder for row in rows], framed=False)
        batch["decoder_input_ids"] = np.asarray(opened.model.shift_right(ops.convert_to_tensor(labels["input_ids"])))
    width = round_up(max(len(row.targets) for row in rows), 8)
    columns, targets = np.zeros((2, len(rows), width), np.int32)
    counted = np.zeros((len(rows), width), bool)
    for index, row in enumerate(rows):
        count = len(row.targets)
        columns[index, :count], targets[index, :count], counted[index, :count] = row.columns, row.targets, True
    found = np.asarray(opened.log_probabilities({**batch, "masked_lm_positions": columns}, targets), np.float64)
    return np.where(counted, found, 0).sum(1)


def _read_files(options: PerplexityOptions) -> list[list[str]]:
    names = [name for source in options.text for name in (["-"] if source == "-" else find_files(source))]
    files = [list(read_lines(name, options.encoding, longest=-1)) for name in names]
    files = [lines for lines in files if any(map(str.strip, lines))]
    if not files:
        raise ValueError(f"{', '.join(names)}: there is no text; expected at least one line that is not empty")
    return files


def _as_text(row: dict) -> str:
    if "text" in row:
        return f"{row['perplexity']:.4f}\t{row['tokens']}\t{row['text']}".splitlines()[0]
    name = "pseudo-perplexity" if row["kind"] == MASKED else "perplexity"
    return f"{name} {row['perplexity']:.4f}  ({row['tokens']:,} tokens, {row['loss']:.4f} nats a token)"


@verb(PerplexityOptions)
def run(options: PerplexityOptions) -> Perplexity:
    """Runs the verb: prints the perplexity of files, and returns the result of `perplexity`."""
    results = Results(options.json, options.output, overwrite=options.overwrite, as_text=_as_text)
    files = _read_files(options)  # before the model, so that an empty file or a wrong path is reported quickly
    opened = open_language_model(options.source, dtype=options.dtype)
    targets = None
    if options.by == "line" or opened.kind == SEQ2SEQ:
        texts = [line for lines in files for line in lines if line.strip()]
    else:
        texts = ["\n".join(lines).strip("\n") for lines in files]
    if opened.kind == SEQ2SEQ:
        without = next((text for text in texts if "\t" not in text), None)
        if without is not None:
            raise ValueError(f"there is no tab in the line {without[:80]!r}; expected lines SOURCE TAB TARGET for an "
                             "encoder-decoder")
        texts, targets = zip(*(text.split("\t", 1) for text in texts))
    keywords = {field.name: getattr(options, field.name) for field in dataclasses.fields(ScoringOptions)}
    result = perplexity(opened, texts, targets, progress=not options.quiet, **keywords)
    with results:
        if options.per_text:
            for text, score in zip(texts, result.scores):
                results.show({"perplexity": float(score.perplexity), "tokens": int(score.tokens), "text": text[:80]})
        results.show({"perplexity": float(result.perplexity), "tokens": int(result.tokens), "loss": float(result.loss),
                      "kind": result.kind})
    return result
