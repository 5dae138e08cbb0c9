"""What the tests of the formats share."""

import importlib.util
from pathlib import Path

import numpy as np

from tests.conftest import missing
from tests.models import cases
from tfplm.models.portable.formats import FORMATS, open_session, write
from tfplm.models.portable.session import Session
from tfplm.models.portable.signatures import as_model_output, portable_model


def needs(name: str) -> None:
    """Skips (or, with TFPLM_REQUIRE_DATA=1, fails) without the packages of a format."""
    wanted = (*FORMATS[name].packages, *FORMATS[name].runtime)
    if absent := [package for package in wanted if importlib.util.find_spec(package) is None]:
        missing(f"{', '.join(absent)} not installed: pip install -e '.[{FORMATS[name].extra}]'")


def written(model, folder: Path, name: str, precision: str = "float32", calibration=()) -> Session:
    """A session of the model in a format."""
    write(portable_model(model), folder, name, precision, calibration)
    return open_session(folder, name)


def differences(case: str, head: str | None, session: Session) -> float:
    """The largest difference between a session and the model of the case, relative to the scale of the outputs, over the
    real tokens of batches with and without padding, with one row, one token, and more tokens than the tracing saw."""
    model, found = cases.model(case, head), []
    for rows, length, padded in ((3, 9, True), (1, 2, False), (2, 17, True), (4, 12, False)):
        batch = cases.batch(case, rows, length, padded, head=head)
        batch = {key: array for key, array in batch.items() if key in ("input_ids", "attention_mask", "token_type_ids")}
        expected = model(batch, training=False)
        result = as_model_output(head, session(batch))
        pairs = [(expected, result)] if not isinstance(expected, dict) else \
            [(expected[key], result[key]) for key in result]
        found += [_difference(np.asarray(a), b, batch["attention_mask"]) for a, b in pairs]
    return max(found)


def _difference(expected: np.ndarray, result: np.ndarray, mask: np.ndarray) -> float:
    assert expected.shape == result.shape and result.dtype == np.float32
    if expected.shape[:2] == mask.shape and expected.ndim > 1:
        expected, result = expected[mask != 0], result[mask != 0]
    return float(np.abs(expected - result).max() / max(1.0, np.abs(expected).max()))
