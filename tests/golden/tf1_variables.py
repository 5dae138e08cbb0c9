"""Variable names and shapes of TensorFlow 1 checkpoints, written from the variable scopes of the original code."""


def norm(name: str, width: int) -> dict:
    return {f"{name}/gamma": [width], f"{name}/beta": [width]}


def dense(name: str, inputs: int, outputs: int) -> dict:
    return {f"{name}/kernel": [inputs, outputs], f"{name}/bias": [outputs]}


def embeddings(scope: str, vocabulary: int, width: int, positions: int = 512) -> dict:
    return {f"{scope}/word_embeddings": [vocabulary, width], f"{scope}/token_type_embeddings": [2, width],
            f"{scope}/position_embeddings": [positions, width]} | norm(f"{scope}/LayerNorm", width)


def attention(scope: str, width: int) -> dict:
    return {k: v for part in ("query", "key", "value") for k, v in dense(f"{scope}/{part}", width, width).items()}


def bert_layer(scope: str, width: int, inner: int) -> dict:
    return (attention(f"{scope}/attention/self", width) | dense(f"{scope}/attention/output/dense", width, width)
            | norm(f"{scope}/attention/output/LayerNorm", width) | dense(f"{scope}/intermediate/dense", width, inner)
            | dense(f"{scope}/output/dense", inner, width) | norm(f"{scope}/output/LayerNorm", width))


def bert_stack(scope: str, depth: int, width: int, inner: int) -> dict:
    return {k: v for i in range(depth) for k, v in bert_layer(f"{scope}/encoder/layer_{i}", width, inner).items()}


def pretraining_heads(vocabulary: int, width: int, embedding: int) -> dict:
    heads = {"cls/predictions/output_bias": [vocabulary], "cls/seq_relationship/output_weights": [2, width],
             "cls/seq_relationship/output_bias": [2]}
    return (heads | dense("cls/predictions/transform/dense", width, embedding)
            | norm("cls/predictions/transform/LayerNorm", embedding))


def bert_body(vocabulary: int, depth: int = 12, width: int = 768) -> dict:
    return (embeddings("bert/embeddings", vocabulary, width) | bert_stack("bert", depth, width, 4 * width)
            | dense("bert/pooler/dense", width, width))


def with_adam(tensors: dict) -> dict:
    """A training checkpoint: two slots per variable, and the step."""
    slots = {f"{name}/{slot}": shape for name, shape in tensors.items() for slot in ("adam_m", "adam_v")}
    return tensors | slots | {"global_step": []}


def albert(vocabulary: int, width: int, inner: int) -> dict:
    scope = "bert/encoder/transformer/group_0/inner_group_0"
    return (embeddings("bert/embeddings", vocabulary, 128)
            | dense("bert/encoder/embedding_hidden_mapping_in", 128, width)
            | attention(f"{scope}/attention_1/self", width)
            | dense(f"{scope}/attention_1/output/dense", width, width) | norm(f"{scope}/LayerNorm", width)
            | dense(f"{scope}/ffn_1/intermediate/dense", width, inner)
            | dense(f"{scope}/ffn_1/intermediate/output/dense", inner, width) | norm(f"{scope}/LayerNorm_1", width)
            | dense("bert/pooler/dense", width, width) | pretraining_heads(vocabulary, width, 128))


def albert_zh(vocabulary: int, width: int, inner: int) -> dict:
    """brightmart's Chinese ALBERT: the factor is a matrix without bias, before positions, types and norm."""
    return (embeddings("bert/embeddings", vocabulary, width)
            | {"bert/embeddings/word_embeddings": [vocabulary, 128], "bert/embeddings/word_embeddings_2": [128, width]}
            | bert_layer("bert/encoder/layer_shared", width, inner) | dense("bert/pooler/dense", width, width)
            | pretraining_heads(vocabulary, width, width))


def electra(width: int, embedding: int, generator: int, depth: int = 12, vocabulary: int = 30522) -> dict:
    """Discriminator and generator share `electra/embeddings`; a projection is there where the widths differ."""
    tensors = embeddings("electra/embeddings", vocabulary, embedding)
    for scope, size in (("electra", width), ("generator", generator)):
        if size != embedding:
            tensors |= dense(f"{scope}/embeddings_project", embedding, size)
        tensors |= bert_stack(scope, depth, size, 4 * size)
    return (tensors | dense("discriminator_predictions/dense", width, width)
            | dense("discriminator_predictions/dense_1", width, 1)
            | dense("generator_predictions/dense", generator, embedding)
            | norm("generator_predictions/LayerNorm", embedding) | {"generator_predictions/output_bias": [vocabulary]})


def gpt2(depth: int = 12, width: int = 768) -> dict:
    tensors = {"model/wte": [50257, width], "model/wpe": [1024, width]}
    tensors |= {"model/ln_f/g": [width], "model/ln_f/b": [width]}
    for i in range(depth):
        for name, inputs, outputs in (("attn/c_attn", width, 3 * width), ("attn/c_proj", width, width),
                                      ("mlp/c_fc", width, 4 * width), ("mlp/c_proj", 4 * width, width)):
            tensors |= {f"model/h{i}/{name}/w": [1, inputs, outputs], f"model/h{i}/{name}/b": [outputs]}
        for name in ("ln_1", "ln_2"):
            tensors |= {f"model/h{i}/{name}/g": [width], f"model/h{i}/{name}/b": [width]}
    return tensors


def xlnet(depth: int = 12, width: int = 768, heads: int = 12) -> dict:
    root, size = "model/transformer", width // heads
    tensors = {f"{root}/{name}_bias": [depth, heads, size] for name in ("r_w", "r_r", "r_s")}
    tensors |= {f"{root}/seg_embed": [depth, 2, heads, size], f"{root}/word_embedding/lookup_table": [32000, width],
                f"{root}/mask_emb/mask_emb": [1, 1, width], "model/lm_loss/bias": [32000]}
    for i in range(depth):
        scope = f"{root}/layer_{i}"
        tensors |= {f"{scope}/rel_attn/{name}/kernel": [width, heads, size] for name in "qkvor"}
        tensors |= norm(f"{scope}/rel_attn/LayerNorm", width) | norm(f"{scope}/ff/LayerNorm", width)
        tensors |= dense(f"{scope}/ff/layer_1", width, 4 * width) | dense(f"{scope}/ff/layer_2", 4 * width, width)
    return tensors
