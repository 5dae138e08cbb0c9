"""`config.json` of published decoder and encoder-decoder checkpoints (written from memory of the model hub)."""

SUMMARY = {"summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
           "summary_type": "cls_index", "summary_use_proj": True}
GPT = {"attn_pdrop": 0.1, "embd_pdrop": 0.1, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "n_embd": 768,
       "n_head": 12, "n_layer": 12, "resid_pdrop": 0.1,
       "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}} | SUMMARY
BART = {"activation_dropout": 0.1, "activation_function": "gelu", "add_bias_logits": False,
        "add_final_layer_norm": False, "architectures": ["BartModel"], "attention_dropout": 0.1, "bos_token_id": 0,
        "classif_dropout": 0.1, "classifier_dropout": 0.0, "d_model": 768, "decoder_attention_heads": 12,
        "decoder_ffn_dim": 3072, "decoder_layerdrop": 0.0, "decoder_layers": 6, "decoder_start_token_id": 2,
        "dropout": 0.1, "early_stopping": True, "encoder_attention_heads": 12, "encoder_ffn_dim": 3072,
        "encoder_layerdrop": 0.0, "encoder_layers": 6, "eos_token_id": 2, "forced_bos_token_id": 0,
        "forced_eos_token_id": 2, "gradient_checkpointing": False, "init_std": 0.02, "is_encoder_decoder": True,
        "max_position_embeddings": 1024, "model_type": "bart", "no_repeat_ngram_size": 3, "normalize_before": False,
        "normalize_embedding": True, "num_beams": 4, "num_hidden_layers": 6, "pad_token_id": 1,
        "scale_embedding": False, "use_cache": True, "vocab_size": 50265}
BART_LARGE = BART | {"d_model": 1024, "decoder_attention_heads": 16, "decoder_ffn_dim": 4096, "decoder_layers": 12,
                     "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "encoder_layers": 12,
                     "num_hidden_layers": 12}
T5 = {"architectures": ["T5ForConditionalGeneration"], "d_ff": 2048, "d_kv": 64, "d_model": 512,
      "decoder_start_token_id": 0, "dropout_rate": 0.1, "eos_token_id": 1, "initializer_factor": 1.0,
      "is_encoder_decoder": True, "layer_norm_epsilon": 1e-06, "model_type": "t5", "n_positions": 512, "num_heads": 8,
      "num_layers": 6, "output_past": True, "pad_token_id": 0, "relative_attention_num_buckets": 32,
      "vocab_size": 32128}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
XLNET = {"architectures": ["XLNetLMHeadModel"], "attn_type": "bi", "bi_data": False, "bos_token_id": 1, "clamp_len": -1,
         "d_head": 64, "d_inner": 3072, "d_model": 768, "dropout": 0.1, "end_n_top": 5, "eos_token_id": 2,
         "ff_activation": "gelu", "initializer_range": 0.02, "layer_norm_eps": 1e-12, "mem_len": None,
         "model_type": "xlnet", "n_head": 12, "n_layer": 12, "pad_token_id": 5, "reuse_len": None,
         "same_length": False, "start_n_top": 5, "summary_activation": "tanh", "summary_last_dropout": 0.1,
         "summary_type": "last", "summary_use_proj": True, "untie_r": True, "vocab_size": 32000,
         "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 250}}}

DECODERS = {
    "gpt2": GPT | {"activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "bos_token_id": 50256,
                   "eos_token_id": 50256, "model_type": "gpt2", "n_ctx": 1024, "n_positions": 1024,
                   "vocab_size": 50257},
    "openai-gpt": GPT | {"afn": "gelu", "architectures": ["OpenAIGPTLMHeadModel"], "model_type": "openai-gpt",
                         "n_ctx": 512, "n_positions": 512, "n_special": 0, "predict_special_tokens": True,
                         "vocab_size": 40478},
    "bart-base": BART,
    "bart-large": BART_LARGE,
    "bart-large-cnn": BART_LARGE | {"architectures": ["BartForConditionalGeneration"],
                                    "force_bos_token_to_be_generated": True, "length_penalty": 2.0, "max_length": 142,
                                    "min_length": 56, "vocab_size": 50264},
    "mbart-large-cc25": BART_LARGE | {"add_final_layer_norm": True, "architectures": ["MBartForConditionalGeneration"],
                                      "max_length": 1024, "model_type": "mbart", "normalize_before": True,
                                      "num_beams": 5, "output_past": True, "scale_embedding": True,
                                      "static_position_embeddings": False, "vocab_size": 250027},
    "t5-small": T5,
    "t5-v1_1-base": T5 | GATED | {"d_model": 768, "num_decoder_layers": 12, "num_heads": 12, "num_layers": 12},
    "mt5-small": T5 | GATED | {"architectures": ["MT5ForConditionalGeneration"], "d_ff": 1024, "model_type": "mt5",
                               "num_decoder_layers": 8, "num_heads": 6, "num_layers": 8,
                               "tokenizer_class": "T5Tokenizer", "vocab_size": 250112},
    "xlnet-base-cased": XLNET,
}
