"""Tokens per second of greedy generation, compared with KerasHub and torch + transformers.

    python tests/benchmarks/generate.py [--quick] [--batch 1 8] [--dtype float32 bfloat16] [--repeats 5]

GPT-2 small with random weights, prompts of 64 tokens, 128 new tokens, all with their key-value cache and two threads.
Each library runs in a separate process; they take turns, and medians are compared, as single times vary. Needs
`pip install -e '.[bench]'`; libraries that are not installed are skipped. The goal is at least 1.0 times the speed of
torch.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

THREADS, PROMPT = 2, 64


def tfplm_generate(dtype: str, batch: int, new: int):
    import numpy as np
    import tensorflow as tf

    import tfplm

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    model = tfplm.from_config("gpt2", "causal_lm", dtype=dtype)
    ids = np.random.default_rng(0).integers(0, 50257, (batch, PROMPT)).astype("int32")
    return lambda: model.generate(ids, max_new_tokens=new, eos_token_id=-1)


def torch_generate(dtype: str, batch: int, new: int):
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    config = transformers.GPT2Config()
    model = transformers.GPT2LMHeadModel(config).to(getattr(torch, dtype)).eval()
    ids = torch.randint(0, config.vocab_size, (batch, PROMPT))
    options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "use_cache": True, "pad_token_id": 0,
               "attention_mask": torch.ones_like(ids)}

    def run():
        with torch.inference_mode():
            return model.generate(ids, **options)

    return run


def keras_hub_generate(dtype: str, batch: int, new: int):
    import keras_hub
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=50257, num_layers=12, num_heads=12, hidden_dim=768, intermediate_dim=3072,
        max_sequence_length=1024, dtype=dtype)
    model = keras_hub.models.GPT2CausalLM(backbone, preprocessor=None, dtype=dtype)
    model.compile(sampler="greedy", jit_compile=True)
    ids = np.zeros((batch, PROMPT + new), "int32")
    ids[:, :PROMPT] = np.random.default_rng(0).integers(0, 50257, (batch, PROMPT))
    mask = np.zeros_like(ids)
    mask[:, :PROMPT] = 1
    return lambda: model.generate({"token_ids": ids, "padding_mask": mask}, stop_token_ids=None)


MAKERS = {"tfplm": tfplm_generate, "torch": torch_generate, "keras_hub": keras_hub_generate}


def worker(name: str, dtype: str, batch: int, new: int) -> None:
    """Answers each line of standard input with the tokens per second of one call."""
    try:
        run = MAKERS[name](dtype, batch, new)
    except ImportError as error:
        print(json.dumps(str(error)), flush=True)
        return
    run()  # compiles
    print(json.dumps(0), flush=True)
    for _ in sys.stdin:
        start_time = time.perf_counter()
        run()
        print(json.dumps(batch * new / (time.perf_counter() - start_time)), flush=True)


def start(name: str, dtype: str, batch: int, new: int) -> subprocess.Popen | None:
    arguments = [sys.executable, __file__, "--worker", name, dtype, str(batch), str(new)]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1", "KERAS_BACKEND": "tensorflow"}
    process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, env=environment)
    ready = process.stdout.readline()
    if ready.strip() != "0":
        print(f"{name} is skipped: {ready.strip() or 'it failed'}", flush=True)
        return None
    return process


def ask(process: subprocess.Popen) -> float:
    process.stdin.write("\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def compare(dtype: str, batch: int, new: int, repeats: int) -> None:
    started = {name: start(name, dtype, batch, new) for name in MAKERS}
    processes = {name: process for name, process in started.items() if process is not None}
    rounds = [{name: ask(process) for name, process in processes.items()} for _ in range(repeats)]
    for process in processes.values():
        process.stdin.close()
        process.wait()
    cells = [f"{name} {statistics.median(r[name] for r in rounds):7.1f}" for name in processes]
    ratios = [f"/{name} {statistics.median(r['tfplm'] / r[name] for r in rounds):5.2f}"
              for name in processes if name != "tfplm"]
    print(f"{dtype:9s} batch {batch}: {' | '.join(cells)} tokens/s | tfplm {' | tfplm '.join(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="32 new tokens, 3 repeats")
    parser.add_argument("--batch", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--dtype", nargs="*", default=["float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, dtype, batch, new = options.worker
        worker(name, dtype, int(batch), int(new))
        return
    new, repeats = (32, 3) if options.quick else (128, options.repeats)
    for dtype in options.dtype:
        for batch in options.batch:
            compare(dtype, batch, new, repeats)


if __name__ == "__main__":
    main()
