"""`config.json` of published encoder checkpoints, as their files have it (written from memory of the model hub)."""

BERT = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
        "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-12, "max_position_embeddings": 512,
        "model_type": "bert", "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 0,
        "type_vocab_size": 2, "vocab_size": 30522, "architectures": ["BertForPreTraining"]}
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 24}
POOLER = {"directionality": "bidi", "pooler_fc_size": 768, "pooler_num_attention_heads": 12, "pooler_num_fc_layers": 3,
          "pooler_size_per_head": 128, "pooler_type": "first_token_transform"}
NEW = {"gradient_checkpointing": False, "position_embedding_type": "absolute", "use_cache": True,
       "transformers_version": "4.6.0.dev0"}
ROBERTA = BERT | {"architectures": ["RobertaForMaskedLM"], "bos_token_id": 0, "eos_token_id": 2,
                  "layer_norm_eps": 1e-05, "max_position_embeddings": 514,
                  "model_type": "roberta", "pad_token_id": 1, "type_vocab_size": 1, "vocab_size": 50265}
ALBERT = BERT | {"architectures": ["AlbertForMaskedLM"], "attention_probs_dropout_prob": 0, "bos_token_id": 2,
                 "classifier_dropout_prob": 0.1, "down_scale_factor": 1, "embedding_size": 128, "eos_token_id": 3,
                 "gap_size": 0, "hidden_act": "gelu_new", "hidden_dropout_prob": 0, "inner_group_num": 1,
                 "model_type": "albert", "net_structure_type": 0, "num_hidden_groups": 1, "num_memory_blocks": 0,
                 "vocab_size": 30000}
ELECTRA = BERT | {"architectures": ["ElectraForPreTraining"], "embedding_size": 768, "model_type": "electra",
                  "summary_activation": "gelu", "summary_last_dropout": 0.1, "summary_type": "first",
                  "summary_use_proj": True}
ELECTRA_SMALL = {"embedding_size": 128, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}
GENERATOR = {"architectures": ["ElectraForMaskedLM"]}
ERNIE = BERT | {"architectures": ["ErnieForMaskedLM"], "model_type": "ernie", "task_type_vocab_size": 3,
                "use_task_id": False}
MODERNBERT = {
    "architectures": ["ModernBertForMaskedLM"], "attention_bias": False, "attention_dropout": 0.0, "bos_token_id": 50281,
    "classifier_activation": "gelu", "classifier_bias": False, "classifier_dropout": 0.0, "classifier_pooling": "mean",
    "cls_token_id": 50281, "decoder_bias": True, "deterministic_flash_attn": False, "embedding_dropout": 0.0,
    "eos_token_id": 50282, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "gradient_checkpointing": False,
    "hidden_activation": "gelu", "hidden_size": 768, "initializer_cutoff_factor": 2.0, "initializer_range": 0.02,
    "intermediate_size": 1152, "layer_norm_eps": 1e-05, "local_attention": 128, "local_rope_theta": 10000.0,
    "max_position_embeddings": 8192, "mlp_bias": False, "mlp_dropout": 0.0, "model_type": "modernbert",
    "norm_bias": False, "norm_eps": 1e-05, "num_attention_heads": 12, "num_hidden_layers": 22, "pad_token_id": 50283,
    "position_embedding_type": "absolute", "sep_token_id": 50282, "tie_word_embeddings": True, "torch_dtype": "float32",
    "transformers_version": "4.47.0.dev0", "vocab_size": 50368}

ENCODERS = {
    "ModernBERT-base": MODERNBERT,
    "ModernBERT-large": MODERNBERT | {"hidden_size": 1024, "intermediate_size": 2624, "num_attention_heads": 16,
                                      "num_hidden_layers": 28},
    "bert-base-uncased": BERT | NEW | {"architectures": ["BertForMaskedLM"]},
    "bert-base-uncased-pretraining": BERT,
    "bert-base-chinese": BERT | POOLER | {"architectures": ["BertForMaskedLM"], "vocab_size": 21128},
    "bert-base-multilingual-cased": BERT | POOLER | {"architectures": ["BertForMaskedLM"], "vocab_size": 119547},
    "bert-large-uncased": BERT | LARGE | NEW | {"architectures": ["BertForMaskedLM"]},
    "MiniLM-L12-H384-uncased": BERT | {"architectures": ["BertModel"], "hidden_size": 384, "intermediate_size": 1536},
    "TinyBERT_General_4L_312D": BERT | {"architectures": ["BertModel"], "cell": {}, "emb_size": 312, "hidden_size": 312,
                                        "intermediate_size": 1200, "num_hidden_layers": 4, "pre_trained": "",
                                        "structure": []},
    "roberta-base": ROBERTA,
    "xlm-roberta-base": ROBERTA | {"architectures": ["XLMRobertaForMaskedLM"], "model_type": "xlm-roberta",
                                   "output_past": True, "vocab_size": 250002},
    "camembert-base": ROBERTA | {"architectures": ["CamembertForMaskedLM"], "bos_token_id": 5, "eos_token_id": 6,
                                 "model_type": "camembert", "output_past": True, "vocab_size": 32005},
    "albert-base-v2": ALBERT,
    "albert-xxlarge-v2": ALBERT | {"hidden_size": 4096, "intermediate_size": 16384, "num_attention_heads": 64},
    "electra-small-discriminator": ELECTRA | ELECTRA_SMALL,
    "electra-small-generator": ELECTRA | ELECTRA_SMALL | GENERATOR,
    "electra-base-discriminator": ELECTRA,
    "electra-base-generator": ELECTRA | ELECTRA_SMALL | GENERATOR | {"embedding_size": 768},
    "distilbert-base-uncased": {
        "activation": "gelu", "architectures": ["DistilBertForMaskedLM"], "attention_dropout": 0.1, "dim": 768,
        "dropout": 0.1, "hidden_dim": 3072, "initializer_range": 0.02, "max_position_embeddings": 512,
        "model_type": "distilbert", "n_heads": 12, "n_layers": 6, "pad_token_id": 0, "qa_dropout": 0.1,
        "seq_classif_dropout": 0.2, "sinusoidal_pos_embds": False, "tie_weights_": True, "vocab_size": 30522},
    "ernie-1.0-base-zh": ERNIE | {"hidden_act": "relu", "layer_norm_eps": 1e-05, "max_position_embeddings": 513,
                                  "vocab_size": 18000},
    "ernie-2.0-base-en": ERNIE | {"type_vocab_size": 4},
    "ernie-3.0-base-zh": ERNIE | {"layer_norm_eps": 1e-05, "max_position_embeddings": 2048, "type_vocab_size": 4,
                                  "use_task_id": True, "vocab_size": 40000},
    "mobilebert-uncased": BERT | {
        "architectures": ["MobileBertForPreTraining"], "classifier_activation": False, "embedding_size": 128,
        "hidden_act": "relu", "hidden_dropout_prob": 0.0, "hidden_size": 512, "intermediate_size": 512,
        "intra_bottleneck_size": 128, "key_query_shared_bottleneck": True, "model_type": "mobilebert",
        "normalization_type": "no_norm", "num_attention_heads": 4, "num_feedforward_networks": 4,
        "num_hidden_layers": 24, "trigram_input": True, "true_hidden_size": 128, "use_bottleneck": True,
        "use_bottleneck_attention": False},
    "xlm-mlm-en-2048": {
        "architectures": ["XLMWithLMHeadModel"], "asm": False, "attention_dropout": 0.1, "bos_index": 0,
        "bos_token_id": 0, "causal": False, "dropout": 0.1, "emb_dim": 2048, "embed_init_std": 0.02209708691207961,
        "end_n_top": 5, "eos_index": 1, "gelu_activation": True, "id2lang": {"0": "en"}, "init_std": 0.02,
        "is_encoder": True, "lang2id": {"en": 0}, "layer_norm_eps": 1e-12, "mask_index": 5, "mask_token_id": 0,
        "max_position_embeddings": 512, "max_vocab": -1, "min_count": 0, "model_type": "xlm", "n_heads": 16,
        "n_langs": 1, "n_layers": 12, "pad_index": 2, "pad_token_id": 2, "sinusoidal_embeddings": False,
        "start_n_top": 5, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
        "summary_type": "first", "summary_use_proj": True, "unk_index": 3, "use_lang_emb": True, "vocab_size": 30145},
}
