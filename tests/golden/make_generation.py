"""Token ids that `transformers`' `generate` gives: `python tests/golden/make_generation.py`.

Writes `generation/NAME.json` (weights: `models/`, made before) and `generation/processors.json`. Each case is run in
float32 and in float64 and must give the same ids, so that none of them hangs on the last bit of a logit.
"""

import copy
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
import transformers
from generation_cases import CASES, DECODER_ONLY, MODELS
from processor_cases import processor_cases

BEAM_RULES = [{"early_stopping": True}, {"early_stopping": False}, {"early_stopping": "never"},
              {"length_penalty": 2.0, "early_stopping": "never"}, {"length_penalty": 0.0}]
HERE = Path(__file__).parent
LENGTHS = {"padded": (6, 4, 2), "full": (5, 5, 5)}


def prompts(config, decoder_only: bool, kind: str) -> dict[str, list]:
    """Three rows of random ids; padded on the left for decoders alone, on the right for encoders."""
    rng = np.random.default_rng(len(kind))
    lengths = np.array(LENGTHS[kind])[:, None]
    ids = rng.choice(sorted(set(range(config.vocab_size)) - {config.pad_token_id}), size=(3, lengths.max()))
    place = np.arange(lengths.max())
    mask = place >= lengths.max() - lengths if decoder_only else place < lengths
    return {"input_ids": np.where(mask, ids, config.pad_token_id).tolist(), "attention_mask": mask.astype(int).tolist()}


def generate(model, inputs: dict, arguments: dict) -> dict[str, list]:
    model.generation_config = transformers.GenerationConfig()
    config = transformers.GenerationConfig(**arguments, return_dict_in_generate=True, output_scores=True)
    result = model.generate(**{k: torch.tensor(v) for k, v in inputs.items()}, generation_config=config)
    scores = result.get("sequences_scores")
    return {"sequences": result.sequences.tolist()} | (
        {} if scores is None else {"sequences_scores": [round(score, 5) for score in scores.tolist()]})


def greedy_end(model, inputs: dict, fixed: dict) -> int:
    """The token that stops the rows of greedy search at the most different lengths."""
    new = [row[-9:] for row in generate(model, inputs, fixed | {"max_new_tokens": 9})["sequences"]]

    def stops(token: int) -> list[int]:
        return [row.index(token) if token in row else 9 for row in new]

    tokens = sorted({token for row in new for token in row})
    return max(tokens, key=lambda token: (len(set(stops(token))), min(stops(token))))


def beam_end(model, inputs: dict, fixed: dict) -> int:
    """The token with which the rules that end a beam search differ the most."""

    def variety(token: int) -> int:
        found = [generate(model, inputs, fixed | {"max_new_tokens": 9, "num_beams": 3, "eos_token_id": token} | rule)
                 for rule in BEAM_RULES]
        return sum(len({str(result["sequences"][row]) for result in found}) for row in range(3))

    return max(range(model.config.vocab_size), key=variety)


def make(name: str) -> None:
    folder = f"{name}-generation-{MODELS[name]}"
    config = transformers.AutoConfig.from_pretrained(HERE / "models" / folder)
    model = getattr(transformers, config.architectures[0]).from_pretrained(HERE / "models" / folder).eval()
    precise = copy.deepcopy(model).double()
    decoder_only = name in DECODER_ONLY
    fixed = {"pad_token_id": config.pad_token_id}
    if not decoder_only:
        fixed["decoder_start_token_id"] = config.decoder_start_token_id
    sample = prompts(config, decoder_only, "full" if name == "openai-gpt" else "padded")
    ends = {False: greedy_end(model, sample, fixed), True: beam_end(model, sample, fixed)}
    cases = []
    for case in CASES:
        if name in case["not_for"]:
            continue
        kind = "full" if decoder_only and (case["full"] or name == "openai-gpt") else "padded"
        inputs = prompts(config, decoder_only, kind)
        arguments = fixed | {"max_new_tokens": 9} | case["arguments"]
        if case["eos"]:
            arguments["eos_token_id"] = ends["num_beams" in arguments]
        outputs = generate(model, inputs, arguments)
        same = generate(precise, inputs, arguments)["sequences"] == outputs["sequences"]
        assert same, f"{name} {case['name']}: float32 and float64 disagree; take other inputs"
        cases.append({"name": case["name"], "inputs": inputs, "arguments": arguments, **outputs})
    write(name, {"weights": folder, "cases": cases})


def write(name: str, content: dict) -> None:
    """One line per key of a case: readable, and small."""
    path = HERE / "generation" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    head = {key: value for key, value in content.items() if key != "cases"}
    lines = [json.dumps(head)[:-1] + (", " if head else "") + '"cases": [']
    for case in content["cases"]:
        body = ",\n  ".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in case.items())
        lines.append(f" {{{body}}}" + ("," if case is not content["cases"][-1] else ""))
    path.write_text("\n".join([*lines, "]}"]) + "\n")
    json.loads(path.read_text())
    print(f"{name:12s} {len(content['cases'])} cases, {path.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for name in MODELS:
        make(name)
    write("processors", {"cases": processor_cases()})
