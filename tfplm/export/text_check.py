"""The check of an export that takes texts: what it gives for them, and what it generates."""

from collections.abc import Sequence

import numpy as np

from tfplm.export.generators import ExportedGenerator
from tfplm.export.kinds import Exported
from tfplm.export.report import Agreement
from tfplm.export.verification import compare
from tfplm.models.portable.session import Session

_SEED, _PROMPTS = 7, 4
_EQUAL = 0.9  # of the texts generated: two tokens may be equally likely but for rounding


def compare_texts(exported: Exported, session: Session, texts: Sequence[str]) -> dict[str, Agreement]:
    """The agreement of each output for texts; empty for files that take ids.

    Raises ValueError for pairs of texts of which an export for pairs makes other inputs.
    """
    if not session.takes_texts or isinstance(exported, ExportedGenerator):
        return {}
    prompt = exported.portable.prompt
    found = compare(exported, lambda part, _: session.texts([text.removeprefix(prompt) for text in part]),
                    [prompt + text for text in texts])
    if session.takes_pairs:
        _check_pairs(exported, session, texts)
    return {f"{name} of texts": each for name, each in found.items()}


def _check_pairs(exported: Exported, session: Session, texts: Sequence[str]) -> None:
    firsts, seconds = texts[:6], texts[::-1][:6]
    batch = exported.tokenizer(list(firsts), list(seconds), max_length=exported.max_length,
                               truncation="longest_first" if exported.max_length else False)
    expected, found = session(batch), session.texts(firsts, seconds)
    for name in found.keys() & expected.keys():
        if not np.allclose(expected[name], found[name], atol=1e-4, rtol=1e-4):
            raise ValueError(f"the file gives another {name} for pairs of texts than for their ids; expected the same. "
                             "Nothing was written: please report this tokenizer")


def check_generation(exported: Exported, session: Session, texts: Sequence[str]) -> dict[str, Agreement]:
    """The agreement of the generated ids, with which the file and the model continue prompts: a share of equal texts.

    Raises ValueError if they differ for more than a tenth of the prompts.
    """
    if not isinstance(exported, ExportedGenerator) or "generate" not in exported.portable.also:
        return {}
    longest = exported.portable.also["generate"].max_length
    chosen = [text for text in texts if len(exported.tokenizer.tokenize(text))][:_PROMPTS]
    prompts = exported.prompts(chosen, longest)
    expected = exported.generated(prompts, _SEED)
    found = [session.generate(prompts, _SEED)]
    if session.takes_texts:
        found.append(session.texts(chosen, seed=_SEED)["output_ids"])
    width = max(ids.shape[1] for ids in (expected, *found))
    expected, *found = (np.pad(ids, [[0, 0], [0, width - ids.shape[1]]], constant_values=-1) for ids in (expected, *found))
    equal = float(np.mean([(ids == expected).all(1) for ids in found]))
    if equal < _EQUAL:
        raise ValueError(f"the file generates the same tokens as the model for {equal:.0%} of {len(chosen)} prompts; "
                         "expected all. Nothing was written: please report this model")
    return {"output_ids": Agreement(1 - equal, 1.0, equal, equal)}
