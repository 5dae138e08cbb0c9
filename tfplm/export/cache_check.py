"""The check of the functions of a language model with a cache, in files of their own or as parts of one file."""

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


def check_cache(exported: Exported, session: Session, folder: Path, texts: Sequence[str]) -> dict[str, Agreement]:
    """The agreement of the logits that are computed with a cache, in two steps, with those of the model; empty for
    exports without a cache."""
    if not isinstance(exported, ExportedGenerator):
        return {}
    step, encode = (_opened(exported, session, folder, name) for name in ("step", "encode"))
    if step is None:
        return {}
    pairs = []
    for text in [text for text in texts if len(exported.tokenizer.tokenize(text)) > 3][:_TEXTS]:
        batch = exported.tokenize([text])
        expected = exported.reference([text], batch)["logits"]
        pairs.append((expected[0], _in_two_steps(exported, step, encode, batch)[0]))
    return {"logits with a cache": agreement_of(pairs)} if pairs else {}


def _opened(exported: ExportedGenerator, session: Session, folder: Path, name: str) -> Session | None:
    """The function with this name, or None if the export does not have it."""
    module = FORMATS[exported.name].load()
    if name in exported.portable.also and hasattr(module, "part"):
        return module.open_session(module.part(folder, name))
    return session.part(name) if name in session.parts else None


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
