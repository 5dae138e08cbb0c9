"""Extraction of answers from the logits of a question's windows (`run_squad.py` of BERT)."""

import dataclasses
import unicodedata
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.examples import QuestionExample
from tfplm.data.tasks.windows import encode_contexts
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class AnswerSettings:
    """Settings of answer extraction.

    - max_answer_length: in tokens;
    - n_best: the number of candidates kept;
    - null_gap: None always answers; with a number, the answer is "none" if its score exceeds that of the best span by
      more than this (SQuAD 2.0: `null_score_diff_threshold`).
    """

    max_answer_length: int = 30
    n_best: int = 20
    null_gap: float | None = None


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A span of the context (`start`: its first character), or the answer "none" (text "", start -1).

    score: the sum of two logits; probability: the softmax over the scores of the kept candidates.
    """

    text: str
    start: int
    score: float
    probability: float


@dataclasses.dataclass(frozen=True)
class FoundAnswer:
    """The answer to a question.

    `candidates` are sorted best first and include "none" if that is allowed. `null_gap` is the score of "none" minus
    that of the best span, from which a threshold can be chosen.
    """

    text: str
    start: int
    probability: float
    candidates: tuple[Candidate, ...]
    null_gap: float


def find_answers(starts: Sequence[np.ndarray], ends: Sequence[np.ndarray], features: Sequence[dict],
                 examples: Sequence[QuestionExample], tokenizer: Tokenizer, settings: AnswerSettings | None = None
                 ) -> list[FoundAnswer]:
    """Finds the answers to all questions.

    starts, ends: the logits [T] of each feature of `question_windows`, made with the same tokenizer.

    An answer is the best pair of a start and an end in one window, at most `max_answer_length` tokens long; of all
    windows that contain its first token, only the one with the most context (on the shorter side) counts. The score of
    "none" is the minimum over the windows. A question whose windows have no token gets the answer "".
    """
    settings = settings or AnswerSettings()
    if not len(starts) == len(ends) == len(features):
        raise ValueError(f"{len(starts)} start logits, {len(ends)} end logits and {len(features)} features: expected "
                         "equally many of each")
    contexts = encode_contexts([example.context for example in examples], tokenizer)
    windows: list[list[int]] = [[] for _ in examples]
    for index, feature in enumerate(features):
        windows[int(feature["example"])].append(index)
    found = []
    for example, indices in zip(examples, windows):
        own = [features[index] for index in indices]
        offsets = contexts[example.context][1]
        fit = best_windows(own, len(offsets))
        spans = [_spans(starts[index], ends[index], feature, fit == window, settings)
                 for window, (index, feature) in enumerate(zip(indices, own))]
        null = min((float(starts[index][feature["null"]]) + float(ends[index][feature["null"]])
                    for index, feature in zip(indices, own)), default=0.0)
        found.append(_choose(example.context, offsets, np.concatenate([np.zeros((0, 3)), *spans]), null, settings))
    return found


def best_windows(windows: Sequence[dict], length: int) -> np.ndarray:
    """For each of the `length` tokens of a context, the index of the (first) window where it has the most context.

    The context of a token is the number of tokens on its shorter side plus a hundredth of the window's length (BERT).
    """
    best, score = np.zeros(length, int), np.full(length, -1.0)
    for index, window in enumerate(windows):
        first, size = int(window["context_first"]), int(window["context_length"])
        positions = np.arange(size)
        context = np.minimum(positions, size - 1 - positions) + 0.01 * size
        part = slice(first, first + size)
        better = context > score[part]
        best[part][better], score[part][better] = index, context[better]
    return best


def _spans(start: np.ndarray, end: np.ndarray, feature: dict, fit: np.ndarray, settings: AnswerSettings) -> np.ndarray:
    """The best spans of a window: [n, 3] with score, first and last token of the context."""
    begin, first, size = (int(feature[f"context_{name}"]) for name in ("begin", "first", "length"))
    if not size:
        return np.zeros((0, 3))
    longest = min(settings.max_answer_length, size)
    starts = np.where(fit[first:first + size], np.asarray(start[begin:begin + size], float), -np.inf)
    ends = np.r_[np.asarray(end[begin:begin + size], float), np.full(longest - 1, -np.inf)]
    scores = (starts[:, None] + np.lib.stride_tricks.sliding_window_view(ends, longest)).ravel()  # [start, length - 1]
    kept = np.argpartition(-scores, settings.n_best - 1)[:settings.n_best] if len(scores) > settings.n_best \
        else np.arange(len(scores))
    kept = kept[scores[kept] > -np.inf]
    return np.stack([scores[kept], first + kept // longest, first + kept // longest + kept % longest], 1)


def span_text(context: str, start: int, end: int) -> tuple[str, int]:
    """The text of a span without surrounding blanks, and the index of its first character.

    Accents after the last character belong to the text: a tokenizer that drops them leaves them out of its tokens.
    """
    while end < len(context) and unicodedata.combining(context[end]):
        end += 1
    text = context[start:end]
    return text.strip(), start + len(text) - len(text.lstrip())


def _choose(context: str, offsets: np.ndarray, spans: np.ndarray, null: float, settings: AnswerSettings) -> FoundAnswer:
    """Collects the candidates of one question, each text once, and chooses the answer among them."""
    texts: dict[str, tuple[int, float]] = {}
    for score, first, last in spans[np.lexsort((spans[:, 2], spans[:, 1], -spans[:, 0]))]:
        text, start = span_text(context, int(offsets[int(first), 0]), int(offsets[int(last), 1]))
        if text and text not in texts:
            texts[text] = start, float(score)
        if len(texts) == settings.n_best:
            break
    entries = [(text, start, score) for text, (start, score) in texts.items()]
    gap = null - entries[0][2] if entries else 0.0
    if settings.null_gap is not None or not entries:
        entries = sorted([*entries, ("", -1, null)], key=lambda entry: -entry[2])
    scores = np.array([score for _, _, score in entries])
    shares = np.exp(scores - scores.max())
    candidates = tuple(Candidate(*entry, float(share)) for entry, share in zip(entries, shares / shares.sum()))
    none = not texts or (settings.null_gap is not None and gap > settings.null_gap)
    answer = next(candidate for candidate in candidates if bool(candidate.text) != none)
    return FoundAnswer(answer.text, answer.start, answer.probability, candidates, gap)
