"""Questions and long contexts -> rows that a model can take (`run_squad.py` of BERT; Devlin et al. 2019, section 4.2).

    [CLS] question [SEP] tokens 0 ... 9 of the context [SEP]        windows over the context that overlap by `stride`
    [CLS] question [SEP] tokens 6 ... 15 of the context [SEP]       tokens, each with the whole question in front
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tfplm.data.tasks.examples import QuestionExample
from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame

_AT_ONCE = 512  # contexts that are tokenized together


@dataclasses.dataclass(frozen=True)
class WindowSettings:
    """Numbers of tokens: of a row; by which windows overlap, at most half of their context (BERT's `doc_stride` is the
    rest of it); of a question, which is cut behind them."""

    max_length: int = 384
    stride: int = 128
    max_query_length: int = 64


def question_windows(examples: Sequence[QuestionExample], tokenizer: Tokenizer, settings: WindowSettings | None = None,
                     labelled: bool = False) -> list[dict]:
    """Features of questions: dicts of int32 values, with the keys

    - `input_ids [T]`, `token_type_ids [T]`, T <= max_length;
    - `example []`: the place of the question;
    - `context_begin []`, `context_first []`, `context_length []`: the place of the window's first token of the context
      in the row, its number in the context, and how many there are;
    - `null []`: the place of the answer "none": of [CLS], or 0 in a family without it;
    - `start []`, `end []`: places of the first and last token of the (first placed) answer; `null` where the question
      has none, or it is not whole in this window. Only with `labelled`.

    With `labelled` questions whose answers have no known place in the context are left out.
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
    for place, example in enumerate(examples):
        ids, offsets = contexts[example.context]
        answer = answer_tokens(example, offsets) if labelled else None
        if labelled and answer is None and not example.impossible:
            continue
        features += [feature | {"example": np.int32(place)} for feature in
                     _windows(questions[place][:settings.max_query_length], ids, frame, settings,
                              (tokenizer.cls_token_id, labelled, answer))]
    return features


def encode_contexts(contexts: Sequence[str], tokenizer: Tokenizer) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """context -> (ids [N], offsets [N,2]: of a token the first character and the one behind its last)."""
    different = list(dict.fromkeys(contexts))
    encoded = {}
    for begin in range(0, len(different), _AT_ONCE):
        part = different[begin:begin + _AT_ONCE]
        batch = tokenizer(part, add_special_tokens=False, padding=False, truncation=False, return_offsets=True)
        for context, ids, offsets in zip(part, batch["input_ids"], batch["offsets"]):
            encoded[context] = ids, offsets.reshape(-1, 2)
    return encoded


def answer_tokens(example: QuestionExample, offsets: np.ndarray) -> tuple[int, int] | None:
    """First and last token of the first answer that has a place; None where none has, or no token covers it."""
    for answer in example.answers:
        if answer.start >= 0 and answer.text:
            begin = int(np.searchsorted(offsets[:, 1], answer.start, side="right"))
            end = int(np.searchsorted(offsets[:, 0], answer.start + len(answer.text), side="left")) - 1
            if begin <= end:
                return begin, end
    return None


def spans_of_windows(length: int, room: int, stride: int) -> list[tuple[int, int]]:
    """[begin, end) of the windows over `length` tokens; one, of no tokens, for an empty context.

    They overlap by `stride`, by half of `room` where that is less.
    """
    stride = min(stride, room // 2)
    return [(begin, min(begin + room, length)) for begin in range(0, max(length - stride, 1), room - stride)]


def _windows(question: np.ndarray, context: np.ndarray, frame: Frame, settings: WindowSettings, target: tuple
             ) -> list[dict]:
    cls, labelled, answer = target
    lead = np.array([*frame.before.T, *((token, frame.first) for token in question), *frame.between.T],
                    np.int32).reshape(-1, 2)
    features = []
    for begin, end in spans_of_windows(len(context), settings.max_length - len(lead) - frame.behind.shape[1],
                                       settings.stride):
        piece = np.stack([context[begin:end], np.full(end - begin, frame.second)], 1)
        ids, types = np.concatenate([lead, piece, frame.behind.T]).astype(np.int32).T
        null = int(np.argmax(ids == cls)) if cls is not None else 0
        feature = {"input_ids": np.ascontiguousarray(ids), "token_type_ids": np.ascontiguousarray(types),
                   "context_begin": np.int32(len(lead)), "context_first": np.int32(begin),
                   "context_length": np.int32(end - begin), "null": np.int32(null)}
        if labelled:
            inside = answer is not None and begin <= answer[0] and answer[1] < end
            places = (len(lead) + answer[0] - begin, len(lead) + answer[1] - begin) if inside else (null, null)
            feature |= {"start": np.int32(places[0]), "end": np.int32(places[1])}
        features.append(feature)
    return features
