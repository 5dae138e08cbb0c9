"""Adaptation of a configuration to a tokenizer: vocabulary, special ids, positions."""

from tfplm.core.config import Config
from tfplm.options.pretrain import PretrainOptions

_ROLES = ("pad_token_id", "bos_token_id", "eos_token_id")


def fit_tokenizer(config: Config, tokenizer, options: PretrainOptions) -> Config:
    """The configuration with the vocabulary and the special ids of this tokenizer, and with positions for `max_length`.

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
    if options.init:
        return config
    return config.replace(vocab_size=max(size, options.vocab_size or 0) if options.tokenizer else size,
                          **_special_ids(config, tokenizer, options))


def _special_ids(config: Config, tokenizer, options: PretrainOptions) -> dict[str, int | None]:
    """The special ids of this tokenizer for the roles that the preset defines; other roles remain None."""
    known = {role: getattr(tokenizer, role) for role in _ROLES}
    changes = {role: known[role] for role in _ROLES if getattr(config, role) is not None}
    for name in ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"):
        role = next((role for role in _ROLES[::-1] if getattr(config, role) == getattr(config, name)), None)
        if getattr(config, name) is not None and role is not None:
            changes[name] = known[role]
    return {name: value for name, value in changes.items() if getattr(options, name) is None}
