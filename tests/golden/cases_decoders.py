"""Decoders: the GPTs and XLNet."""

from case_table import case, family

GPT = {"vocab_size": 47, "n_embd": 12, "n_layer": 3, "n_head": 3, "n_positions": 19, "pad_token_id": 46,
       "bos_token_id": 45, "eos_token_id": 45}
XLNET = {"vocab_size": 47, "d_model": 12, "n_layer": 3, "n_head": 3, "d_inner": 19, "pad_token_id": 5,
         "bos_token_id": 1, "eos_token_id": 2}
SCALE = 3.0  # of the models that generate text

DECODERS = {
    **family("gpt2", "GPT2", GPT, [None, "causal_lm", "sequence_classification", "token_classification"]),
    "gpt2-inner": case("GPT2", None, GPT | {"n_inner": 23, "activation_function": "gelu", "n_layer": 2}),
    "gpt2-scale_by_layer": case("GPT2", None, GPT | {"scale_attn_by_inverse_layer_idx": True, "n_layer": 2}),
    "openai-gpt": case("OpenAIGPT", None, GPT),
    "openai-gpt-causal_lm": case("OpenAIGPT", "causal_lm", GPT | {"n_layer": 2}),
    "openai-gpt-sequence_classification": case("OpenAIGPT", "sequence_classification", GPT | {"n_layer": 2}),
    "gpt2-generation-causal_lm": case("GPT2", "causal_lm", GPT | {"n_layer": 2}, scale=SCALE, salt="28"),
    "openai-gpt-generation-causal_lm": case("OpenAIGPT", "causal_lm", GPT | {"n_layer": 2}, scale=SCALE, salt="38"),
    "xlnet": case("XLNet", None, XLNET, types=3),
    "xlnet-memory": case("XLNet", None, XLNET | {"n_layer": 2, "mem_len": 6}, types=3, memory=5),
    "xlnet-causal_lm": case("XLNet", "causal_lm", XLNET | {"n_layer": 2}, types=3),
    "xlnet-permutation-causal_lm": case("XLNet", "causal_lm", XLNET | {"n_layer": 2}, types=3, permutation=True),
    "xlnet-sequence_classification": case("XLNet", "sequence_classification", XLNET | {"n_layer": 2}, types=3),
}
