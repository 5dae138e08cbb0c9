"""The check of an export against the model, on real texts, and their speeds."""

import collections
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tfplm.export.kinds import Exported
from tfplm.export.report import Agreement, Speed
from tfplm.models.portable.session import Session

_ROWS = 8  # texts of a batch
_SECONDS = 2.0  # that a measurement of speed takes at most, after the first pass
_SINGLES = 20  # calls with one text
# float32: largest difference, as a part of the largest value (of 1, if that is smaller); others: lowest mean cosine
_FLOAT32, _COSINE = 2e-5, {"float16": 0.999, "int8": 0.9}


def batches_of(exported: Exported, texts: Sequence[str], rows: int = _ROWS) -> Iterator[tuple[list[str], dict]]:
    """(texts, their batch) in the given order, so that a batch has texts of different lengths; texts without tokens are
    left out."""
    chosen = [text for text in texts if exported.has_tokens(text)]
    for start in range(0, len(chosen), rows):
        part = list(chosen[start:start + rows])
        yield part, exported.tokenize(part)


def compare(exported: Exported, run: Callable[[list[str], dict], dict], texts: Sequence[str]) -> dict[str, Agreement]:
    """The agreement of each output that `run` gives for (texts, their batch), over the real tokens of all texts."""
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = collections.defaultdict(list)
    for part, batch in batches_of(exported, texts):
        expected, found = exported.reference(part, batch), run(part, batch)
        real = batch["attention_mask"] != 0
        for name in found.keys() & set(exported.portable.outputs):
            of_tokens = name in exported.of_tokens
            pairs[name].append(tuple(_rows(each[name], real if of_tokens else None) for each in (expected, found)))
    return {name: agreement_of(pairs[name]) for name in exported.portable.outputs if name in pairs}


def _rows(output: np.ndarray, real: np.ndarray | None) -> np.ndarray:
    """An output as rows `[N,H]`; of outputs of tokens, those of real tokens."""
    output = np.asarray(output, np.float64)
    if real is not None:
        output = output[real]
    return output.reshape(len(output), -1)


def agreement_of(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Agreement:
    """The agreement of pairs of arrays `[N,H]`, (expected, found)."""
    expected, found = (np.concatenate([np.asarray(one, np.float64) for one in each]) for each in zip(*pairs))
    lengths = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    # two zero vectors are equal
    cosines = np.where(lengths > 0, (expected * found).sum(1) / np.maximum(lengths, 1e-30),
                       (expected == found).all(1).astype(float))
    if expected.shape[1] == 1:  # the cosine of two numbers is only their sign
        cosines = 1 - np.abs(expected - found)[:, 0] / max(np.abs(expected).max(), 1e-30)
    return Agreement(float(np.abs(expected - found).max()), float(np.abs(expected).max()), float(cosines.mean()),
                     float(cosines.min()))


def check(agreement: dict[str, Agreement], name: str, precision: str) -> None:
    """Raises ValueError if an output differs too much from the model's; not finite numbers always do."""
    for output, each in agreement.items():
        if precision == "float32":
            allowed = _FLOAT32 * max(1.0, each.scale)
            if not each.difference <= allowed:
                raise ValueError(f"the {name} file differs from the model: its {output} by up to {each.difference:.1e}; "
                                 f"expected at most {allowed:.1e}. Nothing was written: please report this model")
        elif not each.cosine >= _COSINE[precision]:
            raise ValueError(f"the {precision} {name} file differs from the model: the mean cosine of its {output} is "
                             f"{each.cosine:.4f}; expected at least {_COSINE[precision]}. Nothing was written: calibrate "
                             "int8 with other texts, or without any, or choose float16")


def speeds(exported: Exported, session: Session, texts: Sequence[str]) -> dict[str, Speed]:
    """The speeds of the model, as this library runs it, and of the export in batches of texts of similar length."""
    ordered = [text for text in sorted(texts, key=len) if exported.has_tokens(text)]
    middle = [ordered[len(ordered) // 2]]

    def run(some: Sequence[str]) -> None:
        for _, batch in batches_of(exported, some):
            session(batch)

    return {"tensorflow": _speed(exported.run, ordered, middle), exported.name: _speed(run, ordered, middle)}


def _speed(call: Callable[[Sequence[str]], None], texts: Sequence[str], single: Sequence[str]) -> Speed:
    seconds = np.median([_seconds(lambda: call(single)) for _ in range(_SINGLES)])
    return Speed(len(texts) / _shortest(lambda: call(texts)), 1000 * float(seconds))


def _shortest(call: Callable[[], object]) -> float:
    """The shortest time of several calls, after one that compiles."""
    call()
    best, spent = float("inf"), 0.0
    while not spent or spent + best < _SECONDS:
        best = min(best, seconds := _seconds(call))
        spent += seconds
    return best


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
