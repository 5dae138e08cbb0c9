"""Tensor names and shapes of published checkpoints: `python tests/golden/make_names.py`.

Writes `names/NAME.json` (from `transformers` models without memory, built of the published configurations) and
`names/tf1/NAME.json` (from the variable scopes of the original TensorFlow 1 repositories, `tf1_*.py`).
"""

import json
import math
from pathlib import Path

import torch
import transformers
from published_decoders import DECODERS
from published_encoders import ENCODERS
from published_files import FILES
from tf1_checkpoints import CHECKPOINTS

NAMES = Path(__file__).parent / "names"


def tensors_of(config: dict) -> dict[str, list[int]]:
    """What `save_pretrained` would write: tied tensors once, under their source's name."""
    fields = {key: value for key, value in config.items() if key not in ("model_type", "architectures")}
    name = config["architectures"][0]
    with torch.device("meta"):
        model_class = getattr(transformers, name)
        model = model_class(model_class.config_class(**fields))
    tied = set(model.all_tied_weights_keys)
    if not config.get("tie_word_embeddings", True):  # transformers 5 ties T5 before it has seen the file
        tied -= {"lm_head.weight"}
    return {key: list(value.shape) for key, value in model.state_dict().items() if key not in tied}


def write(path: Path, content: dict) -> None:
    """One line per tensor."""
    tensors = content.pop("tensors")
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in sorted(tensors.items()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content)[:-1] + ',\n "tensors": {\n' + lines + "\n}}\n")
    json.loads(path.read_text())
    print(f"{path.stem:32s} {len(tensors):4d} tensors {content['parameters']:>13,d} parameters")


def count(tensors: dict) -> int:
    """Parameters, without the slots and the step of an optimizer."""
    return sum(math.prod(shape) for name, shape in tensors.items()
               if not name.endswith(("/adam_m", "/adam_v", "global_step")))


def main() -> None:
    for name, config in (ENCODERS | DECODERS).items():
        tensors = tensors_of(config)
        write(NAMES / f"{name}.json", {"config": config, "architecture": config["architectures"][0],
                                       "parameters": count(tensors), "file": FILES.get(name, {}), "tensors": tensors})
    for name, checkpoint in CHECKPOINTS.items():
        write(NAMES / "tf1" / f"{name}.json", checkpoint | {"parameters": count(checkpoint["tensors"])})


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    main()
