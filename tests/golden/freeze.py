"""All outputs of all families, bit for bit on one machine: before a redesign and after it.

    python tests/golden/freeze.py write FILE [CASE ...]        # of the tree before; completes an interrupted FILE
    python tests/golden/freeze.py compare FILE [CASE ...]      # of the tree after: prints what differs, exit status 1

FILE is JSON, `case/what/name` -> SHA-256 of the type, the shape and the bytes of an array. Cases are `contract/NAME`
(`tests/models/cases.py`) and `golden/NAME` (`tests/golden/models`); a CASE may be a pattern (`contract/bert*`). Of
each contract case: fresh weights, the headless model and every head, eager and in a graph, two training steps with
dropout, generation with a cache, and the tensors that are saved. Of each golden case: the model's outputs, and
generated text. Cases that FILE lacks are new: they are counted, not run. The script uses nothing but public names and
the tables of cases, so that it runs on an older tree too, copied into its `tests/golden`.
"""

import fnmatch
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TFPLM_FLOAT32": "onednn",
               "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras
import numpy as np
import tensorflow as tf

import tfplm
from tests.models import cases, golden
from tfplm.core.checkpoints import open_checkpoint

SEED = 11
GENERATION = {"greedy": {}, "beams": {"num_beams": 3}, "sampled": {"do_sample": True, "seed": 5, "top_k": 7}}
Arrays = Iterator[tuple[str, np.ndarray]]


def digest(array: np.ndarray) -> str:
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.dtype} {array.shape}".encode() + array.tobytes()).hexdigest()


def flat(what: str, outputs) -> Arrays:
    return ((f"{what}/{name}", array) for name, array in golden.flat(outputs).items())


def weights(what: str, model) -> Arrays:
    return ((f"{what}/{variable.path}", keras.ops.convert_to_numpy(variable)) for variable in model.variables)


def outputs(what: str, model, batch: dict) -> Arrays:
    """Eager and in a graph; of a headless model with hidden states and attentions."""
    taps = {}
    if model.head_name is None:
        taps = {"output_hidden_states": True, "output_attentions": model.config.architecture not in cases.BASELINES}
    yield from flat(f"{what}/eager", model(batch, **taps))
    yield from flat(f"{what}/graph", tf.function(lambda: model(batch, **taps), autograph=False)())


def training(name: str, head: str) -> Arrays:
    """Fresh weights, and what two steps with dropout make of them."""
    keras.utils.set_random_seed(SEED)
    model, batch = tfplm.from_config(cases.CASES[name], head), cases.batch(name)
    yield from weights("fresh", model)
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True),
                  jit_compile=False)
    labels = batch.get("decoder_input_ids", batch["input_ids"])
    for step in range(2):
        yield f"training/loss/{step}", np.float32(model.train_on_batch(batch, labels))
    yield from weights("trained", model)


def generated(model, batch: dict) -> Arrays:
    start = {"decoder_start_token_id": 2} if model.config.architecture == "seq2seq" else {}
    for way, options in GENERATION.items():
        yield f"generation/{way}", model.generate(batch, max_new_tokens=6, **options, **start)


def saved(model) -> Arrays:
    for layout in ("hf", "tf1"):
        with tempfile.TemporaryDirectory() as folder:
            try:
                tfplm.save_pretrained(model, folder, format=layout)
            except ValueError:  # this layout has no name for a part of the model
                continue
            with open_checkpoint(folder) as checkpoint:
                for name in sorted(checkpoint.names()):
                    yield f"saved/{layout}/{name}", checkpoint.read(name)


def contract(name: str) -> Arrays:
    config, batch = cases.CASES[name], cases.batch(name)
    head = cases.LM[config.architecture]
    if head == "masked_lm" and config.attention_type not in ("full", "causal_reverse"):
        head = "causal_lm"
    yield from training(name, head)
    yield from outputs("headless", cases.model(name), batch)
    for other in cases.heads_of(name) if name in cases.FAMILIES else [head]:
        yield from outputs(other, cases.model(name, other), cases.batch(name, head=other))
    model = cases.model(name, head)
    yield from saved(model)
    if head != "masked_lm" and config.attention_type != "causal_reverse":
        prompts = {key: array for key, array in batch.items() if not key.startswith("decoder") and key != "task_type_ids"}
        yield from generated(model, prompts)


def frozen_golden(name: str) -> Arrays:
    model = golden.load(name)
    if name in golden.WITH_OUTPUTS:
        yield from outputs("loaded", model, golden.batch(name))
    else:
        rng = np.random.default_rng(SEED)
        yield from generated(model, {"input_ids": rng.integers(3, 40, (3, 7)).astype(np.int32)})


JOBS = {**{f"contract/{name}": (contract, name) for name in cases.CASES},
        **{f"golden/{name}": (frozen_golden, name) for name in golden.CASES}}


def digests(chosen: list[str]) -> Iterator[dict[str, str]]:
    """What each case gives, one after the other."""
    for case in chosen:
        print(case, file=sys.stderr, flush=True)
        function, name = JOBS[case]
        yield {f"{case}/{key}": digest(array) for key, array in function(name)}
        cases.model.cache_clear()
        golden.load.cache_clear()
        keras.backend.clear_session(free_memory=False)


def case_of(key: str) -> str:
    return "/".join(key.split("/")[:2])


def write(file: Path, chosen: list[str]) -> int:
    """Adds the cases that the file lacks, so that one that was interrupted is completed."""
    found = json.loads(file.read_text()) if file.exists() else {}
    there = {case_of(key) for key in found}
    for one in digests([case for case in chosen if case not in there]):
        found |= one
        file.write_text(json.dumps(found, indent=0, sort_keys=True))
    print(f"{len(found)} arrays in {file}")
    return 0


def compare(file: Path, chosen: list[str]) -> int:
    before, new, different = {}, 0, 0
    for key, value in json.loads(file.read_text()).items():
        before.setdefault(case_of(key), {})[key] = value
    before = {case: before[case] for case in chosen if case in before}
    for arrays, now in zip(before.values(), digests(list(before))):
        wrong = [key for key, value in arrays.items() if now.get(key) != value]
        new, different = new + len(now.keys() - arrays.keys()), different + len(wrong)
        print("".join(f"{'differs' if key in now else 'gone'}: {key}\n" for key in wrong), end="", flush=True)
    print(f"{different} of {sum(map(len, before.values()))} arrays of {len(before)} cases differ, {new} new; "
          f"{len(set(chosen) - set(before))} new cases")
    return int(different > 0)


def main(action: str, file: str, *patterns: str) -> int:
    chosen = [case for case in JOBS if any(fnmatch.fnmatch(case, pattern) for pattern in patterns or ["*"])]
    return {"write": write, "compare": compare}[action](Path(file), chosen)


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("write", "compare"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
