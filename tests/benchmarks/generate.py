"""Tokens per second of greedy generation, compared with KerasHub, torch + transformers and CTranslate2.

    python tests/benchmarks/generate.py [--quick] [--batch 1 8] [--dtype float32 bfloat16] [--rounds 5]

GPT-2 small with random weights, prompts of 64 tokens, 128 new tokens, all with their key-value cache and two threads.
Each library runs in a separate process; they take turns, and medians are compared, as single times vary. Needs
`pip install -e '.[bench]'`; libraries that are not installed are skipped. The goal is at least 1.0 times the speed of
torch. CTranslate2 runs beside float32, in float32 and with weights and activations in int8, which is less exact.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from turns import THREADS, parser, race, table

PROMPT, VOCABULARY, LAYERS, HEADS, HIDDEN, POSITIONS = 64, 50257, 12, 12, 768, 1024


def _ids(batch: int):
    import numpy as np
    return np.random.default_rng(0).integers(2, VOCABULARY - 1, (batch, PROMPT)).astype("int32")


def _limit_tensorflow():
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)


def tfplm_generate(dtype: str, batch: int, new: int):
    import tfplm
    _limit_tensorflow()
    model, ids = tfplm.from_config("gpt2", "causal_lm", dtype=dtype), _ids(batch)
    return lambda: model.generate(ids, max_new_tokens=new, eos_token_id=-1)


def torch_generate(dtype: str, batch: int, new: int):
    import torch
    import transformers

    torch.set_num_threads(THREADS)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).to(getattr(torch, dtype)).eval()
    ids = torch.tensor(_ids(batch), dtype=torch.long)
    options = {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "use_cache": True, "pad_token_id": 0,
               "attention_mask": torch.ones_like(ids)}

    def run():
        with torch.inference_mode():
            return model.generate(ids, **options)

    return run


def keras_hub_generate(dtype: str, batch: int, new: int):
    import keras_hub
    import numpy as np

    _limit_tensorflow()
    backbone = keras_hub.models.GPT2Backbone(
        vocabulary_size=VOCABULARY, num_layers=LAYERS, num_heads=HEADS, hidden_dim=HIDDEN, intermediate_dim=4 * HIDDEN,
        max_sequence_length=POSITIONS, dtype=dtype)
    model = keras_hub.models.GPT2CausalLM(backbone, preprocessor=None, dtype=dtype)
    model.compile(sampler="greedy", jit_compile=True)
    ids = np.pad(_ids(batch), ((0, 0), (0, new)))
    mask = np.zeros_like(ids)
    mask[:, :PROMPT] = 1
    return lambda: model.generate({"token_ids": ids, "padding_mask": mask}, stop_token_ids=None)


def _ctranslate2_model(folder: str) -> None:
    """Writes GPT-2 small with random weights, as its converter would; token i of the vocabulary is the string "i"."""
    import numpy as np
    from ctranslate2.specs import Activation, TransformerDecoderModelSpec

    random = np.random.default_rng(0)

    def weights(*shape):
        return random.standard_normal(shape, dtype="float32") * 0.02

    def fill(norm, *products):
        norm.gamma, norm.beta = np.ones(HIDDEN, "float32"), np.zeros(HIDDEN, "float32")
        for layer, outputs, inputs in products:
            layer.weight, layer.bias = weights(outputs, inputs), np.zeros(outputs, "float32")

    spec = TransformerDecoderModelSpec.from_config(LAYERS, HEADS, pre_norm=True, activation=Activation.GELUTanh)
    decoder, wide = spec.decoder, 4 * HIDDEN
    decoder.scale_embeddings = False
    decoder.embeddings.weight = decoder.projection.weight = weights(VOCABULARY, HIDDEN)
    decoder.position_encodings.encodings = weights(POSITIONS, HIDDEN)
    fill(decoder.layer_norm)
    for layer in decoder.layer:
        attention, ffn = layer.self_attention, layer.ffn
        fill(attention.layer_norm, (attention.linear[0], 3 * HIDDEN, HIDDEN), (attention.linear[1], HIDDEN, HIDDEN))
        fill(ffn.layer_norm, (ffn.linear_0, wide, HIDDEN), (ffn.linear_1, HIDDEN, wide))
    spec.register_vocabulary([str(token) for token in range(VOCABULARY)])
    spec.config.bos_token, spec.config.eos_token, spec.config.unk_token = "0", "1", str(VOCABULARY - 1)
    spec.validate()
    spec.save(folder)


def ctranslate2_generate(compute_type: str, batch: int, new: int):
    import ctranslate2

    with tempfile.TemporaryDirectory() as folder:
        _ctranslate2_model(folder)
        generator = ctranslate2.Generator(folder, "cpu", compute_type=compute_type, intra_threads=THREADS)
    prompts = [[str(token) for token in row] for row in _ids(batch)]

    def run():
        results = generator.generate_batch(prompts, max_length=new, min_length=new, include_prompt_in_result=False)
        if any(len(result.sequences_ids[0]) != new for result in results):
            raise RuntimeError("CTranslate2 generated fewer tokens than the others")

    return run


PEERS = {"tfplm": tfplm_generate, "torch": torch_generate, "KerasHub": keras_hub_generate}


def contenders(dtype: str, batch: int, new: int) -> dict[str, tuple]:
    """The systems of a table: name -> (function that makes it, arguments)."""
    result = {f"{name} {dtype}": (make, dtype, batch, new) for name, make in PEERS.items()}
    if dtype == "float32":
        result |= {f"CTranslate2 {kind}": (ctranslate2_generate, kind, batch, new) for kind in ("float32", "int8")}
    return result


def main() -> None:
    flags = parser(__doc__.splitlines()[0])
    flags.add_argument("--quick", action="store_true", help="32 new tokens, 3 rounds")
    flags.add_argument("--batch", type=int, nargs="*", default=[1, 8])
    flags.add_argument("--dtype", nargs="*", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    options = flags.parse_args()
    new, rounds = (32, 3) if options.quick else (128, options.rounds)
    for dtype in options.dtype:
        for batch in options.batch:
            times = race(contenders(dtype, batch, new), rounds, options.only)
            table(f"GPT-2 small, batch {batch}, {new} new tokens, {dtype}", times, f"tfplm {dtype}", batch * new, "tokens/s")


if __name__ == "__main__":
    main()
