"""Names and shapes of the variables of a model, from its configuration alone, without TensorFlow.

They are those of `tfplm.models.pretrained.weights.named_variables`, which a test asserts for every architecture. So the
parameters of a preset are counted at once, and weights are compared with a configuration before anything is allocated.
"""

from collections.abc import Callable, Iterator

from tfplm.core.config import Config
from tfplm.core.suggest import did_you_mean

Shapes = Iterator[tuple[str, tuple[int, ...]]]


def variable_shapes(config: Config, head: str | None = None, num_labels: int | None = None) -> dict[str, tuple[int, ...]]:
    """Path -> shape of all variables of a model, e.g. `encoder/block_3/attention/query/kernel` -> (768, 768).

    The arguments are those of `tfplm.from_config`.
    """
    if head is not None and head not in _HEADS:
        raise ValueError(f"there is no head '{head}'{did_you_mean(head, _HEADS)}; expected one of {', '.join(_HEADS)}, "
                         "or None for the hidden states")
    labels = num_labels or (len(config.id2label or ()) if head != "pretraining" else 0) or 2
    backbone = _baseline if config.architecture in ("textcnn", "bilstm") else _transformer
    result = dict(backbone(config))
    if config.pooler and _needs_pooler(config, head):
        result.update(_dense("pooler", config.hidden_size, config.hidden_size))
    if head is not None:
        result.update(_HEADS[head](config, labels))
    return result


def _needs_pooler(config: Config, head: str | None) -> bool:
    return head in (None, "pretraining") or (
        head == "sequence_classification" and config.classifier_pooling == "pooler") or (
        head == "multiple_choice" and config.choice_pooling == "pooler")


def _dense(path: str, inputs: int, units: int, bias: bool = True) -> Shapes:
    yield f"{path}/kernel", (inputs, units)
    if bias:
        yield f"{path}/bias", (units,)


def _norm(config: Config, path: str, size: int | None = None) -> Shapes:
    yield f"{path}/gamma", (size or config.hidden_size,)
    if config.norm_type == "layer_norm" and config.norm_bias:
        yield f"{path}/beta", (size or config.hidden_size,)


def _transformer(config: Config) -> Shapes:
    yield from _embeddings(config, "embeddings")
    if config.architecture != "seq2seq":
        yield from _stack(config, config.architecture)
        return
    decoder = config.decoder()
    yield from ((path, shape) for path, shape in _embeddings(decoder, "decoder_embeddings")
                if path != "decoder_embeddings/word/embeddings")
    yield from _stack(config, "encoder")
    yield from _stack(decoder, "decoder", cross=True)


def _embeddings(config: Config, path: str) -> Shapes:
    size, tables = config.word_embedding_size, {"word": config.vocab_size}
    if config.position_type in ("learned", "sinusoidal"):
        tables["position"] = config.max_position_embeddings + (0 if config.positions_from_ids else config.position_offset)
    tables |= {"token_type": config.type_vocab_size, "task_type": config.task_type_vocab_size}
    for name, rows in tables.items():
        if rows:
            yield f"{path}/{name}/embeddings", (rows, size)
    if config.embedding_norm:
        yield from _norm(config, f"{path}/norm", size)
    if size != config.hidden_size:
        yield from _dense(f"{path}/project", size, config.hidden_size)


def _stack(config: Config, path: str, cross: bool = False) -> Shapes:
    blocks = config.num_hidden_layers
    if config.share == "all":
        blocks = config.num_hidden_groups * config.inner_group_num
    for index in range(blocks):
        block = f"{path}/block_{index}"
        if not (index and config.share == "attention"):
            yield from _attention(config, f"{block}/attention")
            if config.first_norm or index:
                yield from _norm(config, f"{block}/attention_residual/norm")
        if cross:
            yield from _attention(config, f"{block}/cross")
            yield from _norm(config, f"{block}/cross_residual/norm")
        if not (index and config.share == "ffn"):
            yield from _feed_forward(config, f"{block}/ffn")
            yield from _norm(config, f"{block}/ffn_residual/norm")
    if config.position_type == "bucketed":
        yield f"{path}/relative_bias/embeddings", (config.relative_attention_num_buckets, config.num_attention_heads)
    if config.final_norm:
        yield from _norm(config, f"{path}/norm")


def _attention(config: Config, path: str) -> Shapes:
    hidden, width = config.hidden_size, config.num_attention_heads * config.attention_head_dim
    for name in ("query", "key", "value"):
        yield from _dense(f"{path}/{name}", hidden, width, config.attention_bias)
    yield from _dense(f"{path}/out", width, hidden, config.attention_bias)


def _feed_forward(config: Config, path: str) -> Shapes:
    hidden, inner = config.hidden_size, config.ffn_size
    for name in ("gate", "linear") if config.ffn_gated else ("up",):
        yield from _dense(f"{path}/{name}", hidden, inner, config.ffn_bias)
    yield from _dense(f"{path}/down", inner, hidden, config.ffn_bias)


def _baseline(config: Config) -> Shapes:
    words = config.replace(hidden_size=config.word_embedding_size, embedding_size=None, num_attention_heads=1)
    yield from _embeddings(words, "embeddings")
    for index in range(config.num_hidden_layers):
        inputs, block = config.hidden_size if index else config.word_embedding_size, f"encoder/block_{index}"
        if config.architecture == "textcnn":
            widths = config.kernel_sizes or [3, 4, 5]
            filters = config.hidden_size // len(widths)
            for width in widths:
                yield f"{block}/convolution_{width}/kernel", (width, inputs, filters)
                yield f"{block}/convolution_{width}/bias", (filters,)
        else:
            units = config.hidden_size // 2
            for side in ("forward", "backward"):
                yield from _dense(f"{block}/{side}/lstm_cell", inputs, 4 * units)
                yield f"{block}/{side}/lstm_cell/recurrent_kernel", (units, 4 * units)


def _transform(config: Config) -> Shapes:
    if config.head_act is not None:
        yield from _dense("head_dense", config.hidden_size, config.hidden_size, config.head_bias)
        yield from _norm(config, "head_norm")


def _language_model(config: Config, labels: int) -> Shapes:
    size = config.word_embedding_size if config.lm_transform else config.hidden_size
    yield from _transform(config)
    if config.lm_transform:
        yield from _dense("lm_transform", config.hidden_size, size)
        yield from _norm(config, "lm_norm", size)
    if not config.tie_word_embeddings:
        yield from _dense("lm_decoder", size, config.vocab_size, bias=False)
    if config.lm_bias:
        yield "lm_bias", (config.vocab_size,)


def _pretraining(config: Config, labels: int) -> Shapes:
    yield from _language_model(config, labels)
    yield from _dense("next_sentence", config.hidden_size, labels)


def _replaced_tokens(config: Config, labels: int) -> Shapes:
    yield from _dense("rtd_dense", config.hidden_size, config.hidden_size)
    yield from _dense("rtd_out", config.hidden_size, 1)


def _classes(config: Config, labels: int, name: str = "classifier", act: str | None = None) -> Shapes:
    yield from _transform(config)
    if act or (name == "classifier" and config.classifier_act):
        yield from _dense(f"{name}_dense", config.hidden_size, config.hidden_size)
    yield from _dense(name, config.hidden_size, labels, config.classifier_bias)


def _tags(config: Config, labels: int) -> Shapes:
    yield from _transform(config)
    yield from _dense("token_classifier", config.hidden_size, labels)
    if config.crf:
        yield from (("crf/transitions", (labels, labels)), ("crf/start", (labels,)), ("crf/end", (labels,)))


def _answers(config: Config, labels: int) -> Shapes:
    yield from _transform(config)
    yield from _dense("qa", config.hidden_size, 2)


# the heads of `tfplm.models.heads.HEADS`
_HEADS: dict[str, Callable[[Config, int], Shapes]] = {
    "masked_lm": _language_model, "causal_lm": _language_model, "seq2seq_lm": _language_model,
    "pretraining": _pretraining, "replaced_token_detection": _replaced_tokens, "sequence_classification": _classes,
    "multiple_choice": lambda config, labels: _classes(config, 1, "choice", config.choice_act),
    "token_classification": _tags, "question_answering": _answers,
}
