"""The check of files with the cache of a language model, in formats with a file for each function."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfplm.export.generators import ExportedGenerator
from tfplm.export.kinds import Exported
from tfplm.export.report import Agreement
from tfplm.export.verification import agreement_of
from tfplm.models.portable.formats import FORMATS
from tfplm.models.portable.session import Session

_TEXTS = 4


def check_cache(exported: Exported, folder: Path, texts: Sequence[str]) -> dict[str, Agreement]:
    """The agreement of the logits that are computed with a cache, in two steps, with those of the model.

    Empty for formats that hold all functions in one file, which check them by generating.
    """
    module = FORMATS[exported.name].load()
    if not isinstance(exported, ExportedGenerator) or "step" not in exported.portable.also or not hasattr(module, "part"):
        return {}
    step = module.open_session(module.part(folder, "step"))
    encode = module.open_session(module.part(folder, "encode")) if "encode" in exported.portable.also else None
    pairs = []
    for text in [text for text in texts if len(exported.tokenizer.tokenize(text)) > 3][:_TEXTS]:
        batch = exported.tokenize([text])
        expected = exported.reference([text], batch)["logits"]
        pairs.append((expected[0], _in_two_steps(exported, step, encode, batch)[0]))
    return {"logits with a cache": agreement_of(pairs)} if pairs else {}


def _in_two_steps(exported: ExportedGenerator, step: Session, encode: Session | None, batch: dict) -> np.ndarray:
    """The logits `[1,T,V]` of the first half of the tokens, and of the second one after it."""
    past, shared = _empty(exported), {}
    if encode is not None:
        shared = {name.replace("present", "past_key_values"): value for name, value in encode(batch).items()}
        shared["encoder_attention_mask"] = batch["attention_mask"]
    ids = batch.get("decoder_input_ids", batch["input_ids"])
    found, half = [], ids.shape[1] // 2
    for start, end in ((0, half), (half, ids.shape[1])):
        result = step({"input_ids": ids[:, start:end], "attention_mask": np.ones((1, end), np.int64), **past, **shared})
        found.append(result["logits"])
        past = {name.replace("present", "past_key_values"): value for name, value in result.items() if name != "logits"}
    return np.concatenate(found, axis=1)


def _empty(exported: ExportedGenerator) -> dict[str, np.ndarray]:
    """An empty cache of one row."""
    return {name: np.zeros([1, spec.shape[1], 0, spec.shape[3]], np.float32)
            for name, spec in exported.portable.also["step"].inputs.items()
            if name.startswith("past_key_values") and ".encoder." not in name}
