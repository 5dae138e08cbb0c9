"""Where the published file differs from what `save_pretrained` writes today: from memory, not verified on the files.

    without_prefix   the file's names lack this prefix
    renamed          (today's ending, the file's ending)
    extra            further tensors in the file: {name: shape, or None where it is a copy of a tied tensor}
"""

GAMMA_BETA = [["LayerNorm.weight", "LayerNorm.gamma"], ["LayerNorm.bias", "LayerNorm.beta"]]
POOLER = {"pooler.dense.weight": [768, 768], "pooler.dense.bias": [768]}


def prefixed(prefix: str, tensors: dict) -> dict:
    return {f"{prefix}.{name}": shape for name, shape in tensors.items()}


def bert(width: int = 768) -> dict:
    pooler = {name: [width] * len(shape) for name, shape in POOLER.items()}
    return {"renamed": GAMMA_BETA, "extra": prefixed("bert", pooler) | {
        "cls.seq_relationship.weight": [2, width], "cls.seq_relationship.bias": [2],
        "cls.predictions.decoder.weight": None}}


ROBERTA = {"extra": prefixed("roberta", POOLER | {"embeddings.position_ids": [1, 514]})
           | {"lm_head.decoder.weight": None}}
GPT2_MASKS = {f"h.{i}.attn.bias": [1, 1, 1024, 1024] for i in range(12)}
GPT_MASKS = {f"h.{i}.attn.bias": [1, 1, 512, 512] for i in range(12)}
SHARED = {"encoder.embed_tokens.weight": None, "decoder.embed_tokens.weight": None}
T5_UNUSED = {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": [32, 8]}
POSITION_IDS = {"electra.embeddings.position_ids": [1, 512]}

FILES = {
    "bert-base-uncased": bert(), "bert-base-chinese": bert(), "bert-base-multilingual-cased": bert(),
    "bert-large-uncased": bert(1024),
    "roberta-base": ROBERTA, "xlm-roberta-base": ROBERTA, "camembert-base": ROBERTA,
    "albert-base-v2": {"extra": {"albert.pooler.weight": [768, 768], "albert.pooler.bias": [768],
                                 "predictions.decoder.weight": None, "predictions.decoder.bias": None,
                                 "albert.embeddings.position_ids": [1, 512]}},
    "distilbert-base-uncased": {"extra": {"vocab_projector.weight": None}},
    "electra-small-discriminator": {"extra": POSITION_IDS}, "electra-base-discriminator": {"extra": POSITION_IDS},
    "electra-small-generator": {"extra": POSITION_IDS | {"generator_lm_head.weight": None}},
    "electra-base-generator": {"extra": POSITION_IDS | {"generator_lm_head.weight": None}},
    "gpt2": {"without_prefix": "transformer.", "extra": GPT2_MASKS},
    "openai-gpt": {"without_prefix": "transformer.", "extra": GPT_MASKS},
    "bart-base": {"extra": SHARED}, "bart-large": {"extra": SHARED},
    "bart-large-cnn": {"extra": prefixed("model", SHARED)}, "mbart-large-cc25": {"extra": prefixed("model", SHARED)},
    "t5-small": {"extra": SHARED | T5_UNUSED},
    "t5-v1_1-base": {"extra": SHARED}, "mt5-small": {"extra": SHARED},
    "xlnet-base-cased": {"extra": {"lm_loss.weight": None}},
}
