"""Sliding windows over the contexts of questions (`run_squad.py` of BERT; Devlin et al. 2019, section 4.2).

    [CLS] question [SEP] tokens 0 ... 9 of the context [SEP]        windows over the context overlap by `stride`
    [CLS] question [SEP] tokens 6 ... 15 of the context [SEP]       tokens; each follows the whole question
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.examples import QuestionExample
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

_AT_ONCE = 512  # the number of contexts tokenized together


@dataclasses.dataclass(frozen=True)
class WindowSettings:
    """Settings of the windows, in tokens.

    - max_length: the length of a row;
    - stride: the overlap of two windows, at most half of their context (BERT's `doc_stride` is the other part);
    - max_query_length: the length to which a question is truncated.
    """

    max_length: int = 384
    stride: int = 128
    max_query_length: int = 64


def question_windows(examples: Sequence[QuestionExample], tokenizer: Tokenizer, settings: WindowSettings | None = None,
                     labelled: bool = False) -> list[dict]:
    """Converts questions to features, dicts of int32 values with the keys

    - `input_ids [T]`, `token_type_ids [T]`, T <= max_length;
    - `example []`: the index of the question;
    - `context_begin []`, `context_first []`, `context_length []`: of the window's part of the context, the position of
      its first token in the row, the index of this token in the context, and the number of tokens;
    - `null []`: the position of the answer "none": that of [CLS], or 0 in a family without it;
    - `start []`, `end []`: the positions of the first and last token of the first answer with a known start; `null` if
      there is none, or if it is not completely inside this window. Only with `labelled`.

    With `labelled`, questions whose answers have no known start in the context are dropped.
    """
    settings = settings or WindowSettings()
    frame = Frame.of(tokenizer)
    if settings.max_length - settings.max_query_length - frame.size < 8:
        raise ValueError(f"max_length {settings.max_length} leaves no room for the context: the question may have "
                         f"{settings.max_query_length} tokens, and {frame.size} are special ones; make max_length larger "
                         "or max_query_length smaller")
    contexts = encode_contexts([example.context for example in examples], tokenizer)
    questions = [] if not examples else tokenizer(
        [example.question for example in examples], add_special_tokens=False, padding=False, truncation=False)["input_ids"]
    features: list[dict] = []
    for index, example in enumerate(examples):
        ids, offsets = contexts[example.context]
        answer = answer_tokens(example, offsets) if labelled else None
        if labelled and answer is None and not example.impossible:
            continue
        features += [feature | {"example": np.int32(index)} for feature in
                     _windows(questions[index][:settings.max_query_length], ids, frame, settings,
                              (tokenizer.cls_token_id, labelled, answer))]
    return features


def encode_contexts(contexts: Sequence[str], tokenizer: Tokenizer) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Maps each context to (ids [N], offsets [N,2]: the character span [start, end) of each token)."""
    distinct = list(dict.fromkeys(contexts))
    encoded = {}
    for start in range(0, len(distinct), _AT_ONCE):
        part = distinct[start:start + _AT_ONCE]
        batch = tokenizer(part, add_special_tokens=False, padding=False, truncation=False, return_offsets=True)
        for context, ids, offsets in zip(part, batch["input_ids"], batch["offsets"]):
            encoded[context] = ids, offsets.reshape(-1, 2)
    return encoded


def answer_tokens(example: QuestionExample, offsets: np.ndarray) -> tuple[int, int] | None:
    """The first and last token of the first answer with a known start; None if there is none, or no token covers it."""
    for answer in example.answers:
        if answer.start >= 0 and answer.text:
            first = int(np.searchsorted(offsets[:, 1], answer.start, side="right"))
            last = int(np.searchsorted(offsets[:, 0], answer.start + len(answer.text), side="left")) - 1
            if first <= last:
                return first, last
    return None


def spans_of_windows(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """[start, end) of the windows over `length` tokens; one window without tokens for an empty context.

    They overlap by `stride`, or by half of `room` if that is less.
    """
    stride = min(stride, room // 2)
    return [(start, min(start + room, length)) for start in range(0, max(length - stride, 1), room - stride)]


def _windows(question: np.ndarray, context: np.ndarray, frame: Frame, settings: WindowSettings, target: tuple
             ) -> list[dict]:
    cls, labelled, answer = target
    lead = np.array([*frame.pair_prefix.T, *((token, frame.first) for token in question), *frame.pair_separator.T],
                    np.int32).reshape(-1, 2)
    features = []
    for start, end in spans_of_windows(len(context), settings.max_length - len(lead) - frame.pair_suffix.shape[1],
                                       settings.stride):
        piece = np.stack([context[start:end], np.full(end - start, frame.second)], 1)
        ids, types = np.concatenate([lead, piece, frame.pair_suffix.T]).astype(np.int32).T
        null = int(np.argmax(ids == cls)) if cls is not None else 0
        feature = {"input_ids": np.ascontiguousarray(ids), "token_type_ids": np.ascontiguousarray(types),
                   "context_begin": np.int32(len(lead)), "context_first": np.int32(start),
                   "context_length": np.int32(end - start), "null": np.int32(null)}
        if labelled:
            inside = answer is not None and start <= answer[0] and answer[1] < end
            span = (len(lead) + answer[0] - start, len(lead) + answer[1] - start) if inside else (null, null)
            feature |= {"start": np.int32(span[0]), "end": np.int32(span[1])}
        features.append(feature)
    return features
