"""TensorFlow 1 checkpoints by name: configuration file beside them, variables, and where the names were read."""

import tf1_variables as tf1

BERT = {"attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
        "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 512, "num_attention_heads": 12,
        "num_hidden_layers": 12, "type_vocab_size": 2, "vocab_size": 30522}
CHINESE = BERT | {"directionality": "bidi", "pooler_fc_size": 768, "pooler_num_attention_heads": 12,
                  "pooler_num_fc_layers": 3, "pooler_size_per_head": 128, "pooler_type": "first_token_transform",
                  "vocab_size": 21128}
ALBERT = BERT | {"attention_probs_dropout_prob": 0, "hidden_dropout_prob": 0, "embedding_size": 128,
                 "num_hidden_groups": 1, "net_structure_type": 0, "gap_size": 0, "num_memory_blocks": 0,
                 "inner_group_num": 1, "down_scale_factor": 1, "vocab_size": 30000}
XXLARGE = {"hidden_size": 4096, "intermediate_size": 16384, "num_attention_heads": 64}
TINY_ZH = {"hidden_size": 312, "intermediate_size": 1248, "num_hidden_layers": 4, "vocab_size": 21128,
           "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0, "embedding_size": 128}
SMALL = {"embedding_size": 128, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4}
GPT2 = {"n_vocab": 50257, "n_ctx": 1024, "n_embd": 768, "n_head": 12, "n_layer": 12}
XLNET = {"d_head": 64, "d_inner": 3072, "d_model": 768, "ff_activation": "gelu", "n_head": 12, "n_layer": 12,
         "n_token": 32000, "untie_r": True}

READ_BERT = ("google-research/bert: cls/predictions and cls/seq_relationship in run_pretraining.py and cls/squad read; "
             "bert/... has the same code as electra/... in google-research/electra model/modeling.py; "
             "output_weights, output_bias from memory of run_classifier.py")
READ_ALBERT = "google-research/albert modeling.py and run_pretraining.py"
READ_ELECTRA = ("google-research/electra model/modeling.py, run_pretraining.py and configure_pretraining.py; "
                "the generator width of the small release from memory")
READ_ZH = "a public listing of the tiny checkpoint's variables and shapes"
READ_GPT2 = "openai/gpt-2 src/model.py"
READ_XLNET = "zihangdai/xlnet modeling.py; the scope `model` from the name map of transformers' former converter"
GELU_TANH = "the repository's gelu is the tanh form: hidden_act is gelu_new in today's names"


def checkpoint(tensors: dict, config_file: str, config: dict, verified: str, note: str = "") -> dict:
    return {"config_file": config_file, "config": config, "verified": verified, "note": note, "tensors": tensors}


def bert(config: dict, heads: dict, depth: int = 12, width: int = 768) -> dict:
    """A BERT checkpoint; slots and step are there after fine-tuning, which replaces the pretraining heads."""
    body = tf1.bert_body(config["vocab_size"], depth, width)
    tensors = tf1.with_adam(body | heads) if heads else body | tf1.pretraining_heads(config["vocab_size"], width, width)
    return checkpoint(tensors, "bert_config.json", config, READ_BERT)


def electra(config: dict, generator: int) -> dict:
    tensors = tf1.electra(config["hidden_size"], config["embedding_size"], generator)
    return checkpoint(tensors, "", config, READ_ELECTRA, "the release has no configuration file; gelu is the erf form")


CLASSIFIER = {"output_weights": [3, 768], "output_bias": [3]}
SQUAD = {"cls/squad/output_weights": [2, 768], "cls/squad/output_bias": [2]}

CHECKPOINTS = {
    "uncased_L-12_H-768_A-12": bert(BERT, {}),
    "chinese_L-12_H-768_A-12": bert(CHINESE, {}),
    "uncased_L-24_H-1024_A-16": bert(BERT | {"hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
                                             "num_hidden_layers": 24}, {}, depth=24, width=1024),
    "uncased_L-12_H-768_A-12-classifier": bert(BERT, CLASSIFIER),
    "uncased_L-12_H-768_A-12-squad": bert(BERT, SQUAD),
    "albert_base_v2": checkpoint(tf1.albert(30000, 768, 3072), "albert_config.json", ALBERT, READ_ALBERT, GELU_TANH),
    "albert_xxlarge_v2": checkpoint(tf1.albert(30000, 4096, 16384), "albert_config.json", ALBERT | XXLARGE, READ_ALBERT,
                                    GELU_TANH),
    "albert_base_zh_google": checkpoint(tf1.albert(21128, 768, 3072), "albert_config.json",
                                        ALBERT | {"vocab_size": 21128}, READ_ALBERT, GELU_TANH),
    "albert_tiny_zh_brightmart": checkpoint(
        tf1.albert_zh(21128, 312, 1248), "albert_config_tiny.json", BERT | TINY_ZH, READ_ZH,
        "word_embeddings times word_embeddings_2 (no bias) is added to positions and types of the hidden size"),
    "electra_small": electra(BERT | SMALL, generator=256),
    "electra_base": electra(BERT | {"embedding_size": 768}, generator=256),
    "gpt2_124M": checkpoint(tf1.gpt2(), "hparams.json", GPT2, READ_GPT2, "kernels are [1, in, out]"),
    "xlnet_cased_L-12_H-768_A-12": checkpoint(
        tf1.xlnet(), "xlnet_config.json", XLNET, READ_XLNET,
        "q, k, v, o, r are [hidden, heads, head size]; the biases of all layers are stacked"),
}
