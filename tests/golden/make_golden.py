"""Frozen reference outputs: `python tests/golden/make_golden.py [CASE ...]`.

Builds each case of `cases*.py` with `transformers` on torch (neither is needed by tfplm or its tests), gives it random
weights, runs it in float32 and writes `models/CASE/{config.json, model.safetensors, golden.npz}`; README.md beside this
file says what is in them. A case may be a prefix followed by `*`.
"""

import fnmatch
import json
import os
import sys
import zlib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from cases import CASES
from inputs import make_inputs
from outputs import named_outputs
from randomise import randomise

MODELS = Path(__file__).parent / "models"


def build(case: dict, seed: int):
    """The reference model of a case: random weights, eager attention, evaluation mode."""
    torch.manual_seed(seed)
    config = getattr(transformers, case["config"])(**case["fields"])
    config._attn_implementation = "eager"
    model = getattr(transformers, case["model"])(config)
    if case["untied"]:  # transformers 5 always builds T5 tied; a checkpoint with its own `lm_head` unties it on loading
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    randomise(model, seed, case["scale"])
    return model.eval()


def write(name: str) -> int:
    """Makes the folder of one case and returns its size in bytes."""
    case, seed = CASES[name], zlib.crc32(f"{name}{CASES[name]['salt']}".encode())
    model = build(case, seed)
    inputs = make_inputs(model.config, case, np.random.default_rng(seed))
    tensors = {key: torch.tensor(value, dtype=torch.float32 if value.dtype == np.float32 else torch.long)
               for key, value in inputs.items()}
    mems = [tensors.pop(key) for key in sorted(tensors) if key.startswith("mems/")]
    tensors |= {"mems": mems, "use_mems": True} if mems else {}
    headless = case["head"] is None
    with torch.no_grad():
        result = model(**tensors, return_dict=True, output_hidden_states=headless, output_attentions=headless)
    outputs = named_outputs(result, case["head"])
    folder = MODELS / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if case["published_config"]:  # the keys of the published file where transformers 5 writes others
        path = folder / "config.json"
        written = json.loads(path.read_text()) | case["published_config"]
        written = {key: value for key, value in written.items() if value is not None}
        path.write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")
    if case["scale"] == 1.0:  # the larger weights of the models that generate text cost too many digits
        arrays = {f"in/{key}": value for key, value in inputs.items()}
        arrays |= {f"out/{key}": value for key, value in outputs.items()}
        np.savez_compressed(folder / "golden.npz", **arrays)
    check(name, outputs)
    return sum(file.stat().st_size for file in folder.iterdir())


def check(name: str, outputs: dict) -> None:
    """Golden outputs must be finite and of a size where 1e-5 means something."""
    for key, value in outputs.items():
        size = np.abs(value).max()
        assert np.isfinite(value).all() and 0.01 < size < 200, f"{name}: {key} has largest magnitude {size}"


def main(patterns: list[str]) -> None:
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    names = [name for name in CASES if any(fnmatch.fnmatch(name, p) for p in patterns or ["*"])]
    assert names, f"no case matches {patterns}; there are: {' '.join(CASES)}"
    for name in names:
        print(f"{name:44s} {write(name) / 1000:6.1f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
