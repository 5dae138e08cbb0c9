"""Head masks and embeddings in the place of ids: `python tests/golden/make_beside_ids.py`.

Needs a transformers of version 4 (written with 4.48 on torch): version 5 has no head masks any more. For models of
`models/` writes `beside_ids/NAME.npz`: `in/NAME` (float32, arguments beside those of the model's own golden file),
`heads/NAME` (outputs with the head masks), `embeds/NAME` (outputs for the embeddings, without head masks).
"""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from outputs import named_outputs

HERE = Path(__file__).parent
CASES = ["bert", "roberta", "albert", "electra", "distilbert", "gpt2", "openai-gpt", "bart", "mbart", "t5"]
WITHOUT_HEAD_MASKS = {"roberta", "electra"}  # the same code as BERT's
MASKS = {"head_mask": ("num_hidden_layers", "num_attention_heads"),
         "decoder_head_mask": ("num_decoder_layers", "decoder_attention_heads"),
         "cross_attn_head_mask": ("num_decoder_layers", "decoder_attention_heads")}
EMBEDS = {"inputs_embeds": "input_ids", "decoder_inputs_embeds": "decoder_input_ids"}


def sizes(config) -> dict[str, int]:
    """The numbers of layers and heads, which the families call differently."""
    decoder = {"num_decoder_layers": "decoder_layers"} if hasattr(config, "decoder_layers") else {}
    values = {name: getattr(config, decoder.get(name, name), None) for names in MASKS.values() for name in names}
    return values | {"decoder_attention_heads": values["decoder_attention_heads"] or config.num_attention_heads}


def run(model, arguments: dict) -> dict[str, np.ndarray]:
    tensors = {key: torch.tensor(value) if value.dtype == np.float32 else torch.tensor(value, dtype=torch.long)
               for key, value in arguments.items()}
    with torch.no_grad():
        return named_outputs(model(**tensors, return_dict=True, output_attentions=True), None)


def write(name: str) -> None:
    folder, rng = HERE / "models" / name, np.random.default_rng(len(name))
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    with np.load(folder / "golden.npz") as file:
        inputs = {key.removeprefix("in/"): file[key] for key in file.files if key.startswith("in/")}
    count, arrays = sizes(model.config), {}
    masks = {key: rng.choice([0, 1, 0.5], (count[layers], count[heads])).astype(np.float32)
             for key, (layers, heads) in MASKS.items() if key == "head_mask" or "decoder_input_ids" in inputs}
    if name == "albert":  # there the reference gives all layers the first row of their group
        masks["head_mask"][:] = masks["head_mask"][0]
    if name not in WITHOUT_HEAD_MASKS:
        arrays |= {f"in/{key}": value for key, value in masks.items()}
        arrays |= {f"heads/{key}": value for key, value in run(model, inputs | masks).items()}
    size = model.get_input_embeddings().weight.shape[1]
    embeds = {key: rng.normal(0, 0.5, (*inputs[ids].shape, size)).astype(np.float32)
              for key, ids in EMBEDS.items() if ids in inputs}
    arrays |= {f"in/{key}": value for key, value in embeds.items()}
    rest = {key: value for key, value in inputs.items() if key not in EMBEDS.values()}
    arrays |= {f"embeds/{key}": value for key, value in run(model, rest | embeds).items() if "attentions" not in key}
    (HERE / "beside_ids").mkdir(exist_ok=True)
    np.savez_compressed(HERE / "beside_ids" / f"{name}.npz", **arrays)
    print(f"{name:12s} {' '.join(sorted(arrays))}")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    for case in CASES:
        write(case)
