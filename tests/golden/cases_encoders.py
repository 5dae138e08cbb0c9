"""Encoders: BERT and its relatives."""

from case_table import case, family

TINY = {"vocab_size": 47, "hidden_size": 12, "num_hidden_layers": 3, "num_attention_heads": 3, "intermediate_size": 19,
        "max_position_embeddings": 19}
TAGGERS = ["sequence_classification", "token_classification", "question_answering"]
ALL = [None, "masked_lm", *TAGGERS, "multiple_choice"]

BERT = TINY | {"type_vocab_size": 3, "pad_token_id": 0, "eos_token_id": None}
ROBERTA = TINY | {"type_vocab_size": 1, "pad_token_id": 1, "max_position_embeddings": 21, "bos_token_id": 0,
                  "eos_token_id": 2, "layer_norm_eps": 1e-5}
ALBERT = TINY | {"embedding_size": 7, "type_vocab_size": 2, "classifier_dropout_prob": 0.1, "bos_token_id": 2,
                 "eos_token_id": 3}
ELECTRA = TINY | {"embedding_size": 7, "type_vocab_size": 2}
DISTILBERT = {"vocab_size": 47, "dim": 12, "n_layers": 3, "n_heads": 3, "hidden_dim": 19, "max_position_embeddings": 19,
              "pad_token_id": 0}
ERNIE = TINY | {"type_vocab_size": 4, "task_type_vocab_size": 3, "hidden_act": "relu"}
MOBILEBERT = {"vocab_size": 47, "hidden_size": 20, "embedding_size": 10, "num_hidden_layers": 3,
              "num_attention_heads": 3, "intermediate_size": 23, "intra_bottleneck_size": 12,
              "max_position_embeddings": 19, "num_feedforward_networks": 2, "type_vocab_size": 2}
MODERNBERT = TINY | {"num_hidden_layers": 4, "local_attention": 6, "pad_token_id": 1, "bos_token_id": 0, "cls_token_id": 0,
                     "eos_token_id": 2, "sep_token_id": 2}
OTHER_KINDS = {"layer_types": ["sliding_attention", "full_attention"], "num_hidden_layers": 2, "rope_parameters": {
    "sliding_attention": {"rope_type": "default", "rope_theta": 30.0},
    "full_attention": {"rope_type": "default", "rope_theta": 200.0}}}
BIASES = dict.fromkeys(("norm_bias", "attention_bias", "mlp_bias", "classifier_bias"), True) | {"decoder_bias": False}
# transformers 5 writes these otherwise than the published files have them
KINDS = {"layer_types": None, "rope_parameters": None, "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0,
         "local_rope_theta": 10000.0, "layer_norm_eps": 1e-5, "position_embedding_type": "absolute"}
XLM = {"vocab_size": 47, "emb_dim": 12, "n_layers": 3, "n_heads": 3, "max_position_embeddings": 19, "n_langs": 1,
       "pad_token_id": 2, "pad_index": 2, "bos_token_id": 0, "eos_token_id": 1}

ENCODERS = {
    **family("bert", "Bert", BERT, [None, "masked_lm", "pretraining", *TAGGERS, "multiple_choice"], types=3),
    **family("bert-gelu_new", "Bert", BERT | {"hidden_act": "gelu_new", "layer_norm_eps": 1e-3}, [None], types=3),
    **family("bert-relu", "Bert", BERT | {"hidden_act": "relu"}, [None, "masked_lm"], types=3),
    "bert-causal_lm": case("Bert", "causal_lm", BERT | {"is_decoder": True, "num_hidden_layers": 2}, types=3),
    "bert-untied-masked_lm": case("Bert", "masked_lm", BERT | {"tie_word_embeddings": False, "num_hidden_layers": 1},
                                  types=3),
    **family("roberta", "Roberta", ROBERTA, ALL),
    **family("xlm-roberta", "XLMRoberta", ROBERTA | {"vocab_size": 53}, [None, "masked_lm"]),
    **family("camembert", "Camembert", ROBERTA | {"vocab_size": 41}, ["masked_lm"]),
    **family("albert", "Albert", ALBERT, [*ALL, "pretraining"], types=2),
    **family("albert-relations3", "Albert", ALBERT | {"num_labels": 3}, ["pretraining"], types=2),
    "albert-groups2": case("Albert", None, ALBERT | {"num_hidden_layers": 4, "num_hidden_groups": 2,
                                                     "hidden_act": "relu"}, types=2),
    **family("albert-inner2", "Albert", ALBERT | {"inner_group_num": 2}, [None], types=2),
    **family("electra", "Electra", ELECTRA, [None, "replaced_token_detection", *TAGGERS, "multiple_choice"], types=2),
    **family("electra-generator", "Electra", ELECTRA | {"num_attention_heads": 2, "intermediate_size": 17},
             ["masked_lm"], types=2),
    **family("electra-same_size", "Electra", ELECTRA | {"embedding_size": 12}, [None], types=2),
    **family("distilbert", "DistilBert", DISTILBERT, ALL),
    **family("distilbert-sinusoidal", "DistilBert", DISTILBERT | {"sinusoidal_pos_embds": True}, [None]),
    **family("ernie1", "Ernie", ERNIE | {"use_task_id": False}, [None, "masked_lm", "sequence_classification"],
             types=4),
    **family("ernie2", "Ernie", ERNIE | {"use_task_id": True, "hidden_act": "gelu"},
             [None, "masked_lm", "pretraining", "sequence_classification"], types=4, tasks=3),
    **family("mobilebert", "MobileBert", MOBILEBERT, [None, "masked_lm"], types=2),
    **family("modernbert", "ModernBert", MODERNBERT, ALL, published_config=KINDS),
    **family("modernbert-mean", "ModernBert", MODERNBERT | {"classifier_pooling": "mean"},
             ["sequence_classification", "multiple_choice"], published_config=KINDS),
    **family("modernbert-kinds", "ModernBert", MODERNBERT | OTHER_KINDS | {"hidden_activation": "relu"}, [None]),
    "modernbert-biases-masked_lm": case("ModernBert", "masked_lm", MODERNBERT | OTHER_KINDS | BIASES),
    **family("xlm", "XLM", XLM, [None]),
    "xlm-masked_lm": case("XLM", "masked_lm", XLM | {"n_layers": 2}, model="XLMWithLMHeadModel"),
}
