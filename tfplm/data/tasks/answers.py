"""Logits of the windows of a question -> its answer, as it stands in the context (`run_squad.py` of BERT)."""

import dataclasses
import unicodedata
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.examples import QuestionExample
from tfplm.data.tasks.windows import encode_contexts
from tfplm.tokenizers import Tokenizer


@dataclasses.dataclass(frozen=True)
class AnswerSettings:
    """Which spans are answers.

    max_answer_length: in tokens. n_best: candidates that are kept. null_gap: None, always answer; a number, answer
    "none" where its score is more than this above that of the best span (SQuAD 2.0: `null_score_diff_threshold`).
    """

    max_answer_length: int = 30
    n_best: int = 20
    null_gap: float | None = None


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A span of the context (`start`: its first character), or the answer "none" (text "", start -1).

    score: sum of two logits; probability: the softmax of the scores of the candidates that were kept.
    """

    text: str
    start: int
    score: float
    probability: float


@dataclasses.dataclass(frozen=True)
class FoundAnswer:
    """The answer, the candidates (the best first; among them "none" where that is allowed), and the null gap: how much
    better than the best span "none" is, to choose a threshold by."""

    text: str
    start: int
    probability: float
    candidates: tuple[Candidate, ...]
    null_gap: float


def find_answers(starts: Sequence[np.ndarray], ends: Sequence[np.ndarray], features: Sequence[dict],
                 examples: Sequence[QuestionExample], tokenizer: Tokenizer, settings: AnswerSettings | None = None
                 ) -> list[FoundAnswer]:
    """The answers to all questions.

    starts, ends: for each feature of `question_windows`, made with the same tokenizer, its logits [T].

    A span is the best pair of a start and an end in one window, at most `max_answer_length` tokens long, whose first
    token has in this window the most context (the shorter of its sides counts) of all windows it is in. The score of
    "none" is the least of all windows. A question whose windows have no token is answered with "".
    """
    settings = settings or AnswerSettings()
    if not len(starts) == len(ends) == len(features):
        raise ValueError(f"{len(starts)} start logits, {len(ends)} end logits and {len(features)} features: expected as "
                         "many of each")
    contexts = encode_contexts([example.context for example in examples], tokenizer)
    windows: list[list[int]] = [[] for _ in examples]
    for number, feature in enumerate(features):
        windows[int(feature["example"])].append(number)
    found = []
    for example, numbers in zip(examples, windows):
        own = [features[number] for number in numbers]
        offsets = contexts[example.context][1]
        fit = best_windows(own, len(offsets))
        spans = [_spans(starts[number], ends[number], feature, fit == place, settings)
                 for place, (number, feature) in enumerate(zip(numbers, own))]
        null = min((float(starts[number][feature["null"]]) + float(ends[number][feature["null"]])
                    for number, feature in zip(numbers, own)), default=0.0)
        found.append(_choose(example.context, offsets, np.concatenate([np.zeros((0, 3)), *spans]), null, settings))
    return found


def best_windows(windows: Sequence[dict], length: int) -> np.ndarray:
    """For each of the `length` tokens of a context the window where it has the most context, the earlier of equal ones.

    The context of a token is what stands on its shorter side, and a hundredth of the window's length (BERT).
    """
    best, score = np.zeros(length, int), np.full(length, -1.0)
    for number, window in enumerate(windows):
        first, size = int(window["context_first"]), int(window["context_length"])
        places = np.arange(size)
        here = np.minimum(places, size - 1 - places) + 0.01 * size
        part = slice(first, first + size)
        better = here > score[part]
        best[part][better], score[part][better] = number, here[better]
    return best


def _spans(start: np.ndarray, end: np.ndarray, feature: dict, fit: np.ndarray, settings: AnswerSettings) -> np.ndarray:
    """The best spans of a window: [n, 3] of score, first and last token of the context."""
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


def span_text(context: str, begin: int, end: int) -> tuple[str, int]:
    """The text of a span without blanks around, and its first character. Accents behind the last character belong to it:
    a tokenizer that drops them does not count them to its tokens."""
    while end < len(context) and unicodedata.combining(context[end]):
        end += 1
    text = context[begin:end]
    return text.strip(), begin + len(text) - len(text.lstrip())


def _choose(context: str, offsets: np.ndarray, spans: np.ndarray, null: float, settings: AnswerSettings) -> FoundAnswer:
    """The candidates of one question, equal texts counted once, and the answer among them."""
    texts: dict[str, tuple[int, float]] = {}
    for score, first, last in spans[np.lexsort((spans[:, 2], spans[:, 1], -spans[:, 0]))]:
        text, begin = span_text(context, int(offsets[int(first), 0]), int(offsets[int(last), 1]))
        if text and text not in texts:
            texts[text] = begin, float(score)
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
