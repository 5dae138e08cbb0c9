"""A configuration fitted to a tokenizer: vocabulary, special ids, positions."""

from tfplm.core.config import Config
from tfplm.options.pretrain import PretrainOptions

_ROLES = ("pad_token_id", "bos_token_id", "eos_token_id")


def fit_tokenizer(config: Config, tokenizer, options: PretrainOptions) -> Config:
    """The configuration with this tokenizer's vocabulary and special ids, and with positions for `max_length`.

    Raises ValueError where a vocabulary or a number of positions that was asked for is too small.
    """
    size, wanted = len(tokenizer), config.vocab_size if options.init else options.vocab_size
    if wanted is not None and size > wanted:
        whose = f"the model {options.init} has" if options.init else "--vocab-size is"
        raise ValueError(f"the tokenizer has {size:,} tokens, but {whose} {wanted:,}: take the tokenizer that belongs to "
                         "the model" if options.init else f"the tokenizer has {size:,} tokens, but {whose} {wanted:,}: "
                         "leave --vocab-size out, or give at least as many")
    limit = config.position_limit
    if limit is not None and options.max_length > limit:
        if options.init or options.max_position_embeddings:
            raise ValueError(f"max_length is {options.max_length}, but the model has positions for "
                             f"{limit}: make --max-length smaller"
                             + ("" if options.init else " or --max-position-embeddings larger"))
        config = config.replace(max_position_embeddings=config.max_position_embeddings + options.max_length - limit)
    if options.init:
        return config
    return config.replace(vocab_size=max(size, options.vocab_size or 0) if options.tokenizer else size,
                          **_special_ids(config, tokenizer, options))


def _special_ids(config: Config, tokenizer, options: PretrainOptions) -> dict[str, int | None]:
    """The preset's special ids in the words of this tokenizer; roles that the preset has not stay None."""
    known = {role: getattr(tokenizer, role) for role in _ROLES}
    changes = {role: known[role] for role in _ROLES if getattr(config, role) is not None}
    for name in ("decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id"):
        role = next((role for role in _ROLES[::-1] if getattr(config, role) == getattr(config, name)), None)
        if getattr(config, name) is not None and role is not None:
            changes[name] = known[role]
    return {name: value for name, value in changes.items() if getattr(options, name) is None}
