"""What tfplm saves is read by `transformers`: `python tests/golden/check_transformers.py [FAMILY ...]`.

For every family and head: a model with random weights, saved with `format="hf"`, loads in transformers' class of the
name in `architectures` without missing, unexpected or mismatched keys, its configuration is of the family's class, and
the outputs agree within 1e-5. Needs torch and transformers; not run by CI.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import numpy as np
import torch
import transformers
from outputs import named_outputs

import tfplm
from tests.models import cases
from tests.models.golden import flat
from tfplm.core.config import read_json

EXTRA = ["bert_causal", "groups", "inner_groups", "deep_decoder", "t5_encoder"]
NOT_THERE = {  # heads that transformers has no class for
    *((name, head) for name in ("distilbert", "roberta", "xlm-roberta", "camembert", "modernbert")
      for head in ("pretraining", "replaced_token_detection")),
    *((name, "replaced_token_detection") for name in ("bert", "albert", "ernie")),
    *(("openai-gpt", head) for head in ("token_classification", "question_answering")),
    *((name, "token_classification") for name in ("bart", "mbart", "t5", "mt5")),  # T5's is of the encoder alone
}


def pairs(wanted: list[str]):
    for name in [*cases.FAMILIES, *EXTRA]:
        heads = [None, *cases.heads_of(name)] if name in cases.FAMILIES else [None, cases.LM[
            cases.CASES[name].architecture]]
        heads = {"bert_causal": ["causal_lm"], "t5_encoder": [None]}.get(name, heads)
        for head in heads:
            if (name, head) not in NOT_THERE and (not wanted or name in wanted):
                yield name, head


def check(name: str, head: str | None) -> float:
    """The largest difference of the outputs; AssertionError where something does not fit."""
    model, batch = cases.model(name, head), cases.batch(name, head=head)
    if head == "multiple_choice":
        batch.pop("task_type_ids", None)  # transformers' ERNIE does not fold the choices of these into the batch
    with tempfile.TemporaryDirectory() as folder:
        tfplm.save_pretrained(model, folder)
        (architecture,) = read_json(Path(folder, "config.json"))["architectures"]
        reference, info = getattr(transformers, architecture).from_pretrained(
            folder, output_loading_info=True, attn_implementation="eager")
        config = transformers.AutoConfig.from_pretrained(folder)
    problems = {key: value for key, value in info.items() if value}
    assert not problems, problems
    assert type(config) is type(reference.config), (type(config), type(reference.config))
    inputs = {key: torch.tensor(np.ascontiguousarray(value), dtype=torch.long) for key, value in batch.items()}
    with torch.no_grad():
        result = reference.eval()(**inputs, return_dict=True)
    expected, outputs = named_outputs(result, head), flat(model(batch))
    if set(expected) == {"masked_lm"}:
        outputs = {"masked_lm": outputs["logits"]}
    mask = batch.get("decoder_attention_mask", batch["attention_mask"]) == 1
    worst = 0.0
    for key, array in expected.items():
        error = np.abs(outputs[key] - array)
        within = batch["attention_mask"] == 1 if key.startswith("encoder") else mask
        worst = max(worst, float((error[within] if error.shape[:2] == within.shape else error).max()))
    assert worst <= 1e-5, worst
    return worst


def main(wanted: list[str]) -> int:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failures = 0
    for name, head in pairs(wanted):
        try:
            print(f"{name:18s} {head or '-':28s} {check(name, head):.1e}", flush=True)
        except Exception as error:  # the table goes on
            failures += 1
            print(f"{name:18s} {head or '-':28s} {type(error).__name__}: {str(error)[:300]}", flush=True)
    print(f"{failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
