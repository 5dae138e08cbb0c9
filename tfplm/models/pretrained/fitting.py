"""Adaptation of a configuration to a tokenizer: vocabulary, special ids, positions."""

from tfplm.core.config import Config
from tfplm.options.pretrain import PretrainOptions

_ROLES = ("pad_token_id", "bos_token_id", "eos_token_id")
_STARTS = ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id")  # each has the id of one of the roles


def fit_tokenizer(config: Config, tokenizer, options: PretrainOptions) -> Config:
    """The configuration with the vocabulary and the special ids of this tokenizer, and with positions for `max_length`.

    Of a model `options.init`, only special ids are changed: those outside its vocabulary, and missing ones that
    generation needs.

    Raises ValueError if the given size of the vocabulary or number of positions is too small.
    """
    size, rows = len(tokenizer), config.vocab_size if options.init else options.vocab_size
    if rows is not None and size > rows:
        found = f"the tokenizer has {size:,} tokens, but"
        raise ValueError(f"{found} the model {options.init} has {rows:,}: use the tokenizer of the model"
                         if options.init else
                         f"{found} --vocab-size is {rows:,}: omit --vocab-size, or make it at least as large")
    limit = config.position_limit
    if limit is not None and options.max_length > limit:
        if options.init or options.max_position_embeddings:
            raise ValueError(f"max_length is {options.max_length}, but the model has {limit} positions: make "
                             "--max-length smaller" + ("" if options.init else " or --max-position-embeddings larger"))
        config = config.replace(max_position_embeddings=config.max_position_embeddings + options.max_length - limit)
    ids = _special_ids(config, tokenizer, options)
    if options.init:
        return config.replace(**{name: value for name, value in ids.items() if value is not None
                                 and not 0 <= _id_or(getattr(config, name), -1) < config.vocab_size})
    return config.replace(vocab_size=max(size, options.vocab_size or 0) if options.tokenizer else size, **ids)


def _special_ids(config: Config, tokenizer, options: PretrainOptions) -> dict[str, int | None]:
    """The special ids of this tokenizer, for the roles that the preset defines, and for all if the model generates text.

    As in pre-training, a text starts with the token `cls` if there is no `bos`, and ends with `sep` if there is no
    `eos`.
    """
    own_pad = tokenizer.pad_token not in (tokenizer.eos_token, tokenizer.unk_token)
    known = {"pad_token_id": tokenizer.pad_token_id,
             "bos_token_id": _id_or(tokenizer.bos_token_id, tokenizer.cls_token_id),
             "eos_token_id": _id_or(tokenizer.eos_token_id, tokenizer.sep_token_id)}
    generates = config.architecture != "encoder" or config.attention_type != "full"
    changes = {role: value for role, value in known.items()
               if getattr(config, role) is not None or (generates and (own_pad or role != "pad_token_id"))}
    for name in _STARTS:
        role = next((role for role in _ROLES[::-1] if getattr(config, role) == getattr(config, name)), None)
        if getattr(config, name) is not None and role is not None:
            changes[name] = known[role]
    if changes.get("decoder_start_token_id", -1) is None:  # a decoder cannot do without
        changes["decoder_start_token_id"] = next((i for i in list(known.values())[::-1] if i is not None), None)
    return {name: value for name, value in changes.items() if getattr(options, name) is None}


def _id_or(token: int | None, other: int | None) -> int | None:
    return other if token is None else token
