"""From what the user passes to the arrays that a program reads, checked."""

import numpy as np

from tfplm.core.config import Config
from tfplm.models.generation.prompts import Prompts, align, bucket
from tfplm.options.generate import GenerationOptions


def decoder_inputs(model, batch, options: GenerationOptions) -> tuple[dict, Prompts]:
    """`ids`, `padding` and `token_type_ids` of a model of one stack, and its prompts."""
    config = model.config
    if model.head_name != "causal_lm":
        raise ValueError(f"generate needs the head 'causal_lm', this model has {model.head_name!r}: "
                         "tfplm.from_pretrained(source, 'causal_lm')")
    if config.attention_type not in ("causal", "prefix"):
        raise ValueError(f"generate needs a model that looks back only, but attention_type is "
                         f"'{config.attention_type}': load it with attention_type='causal' (or 'prefix')")
    batch = _as_dict(batch)
    prompts = align(batch)
    check_ids(prompts.given, config, "input_ids")
    check_length(prompts, config, options)
    return {"ids": prompts.ids, "padding": prompts.padding, **prompts.other}, prompts


def seq2seq_inputs(model, batch, options: GenerationOptions) -> tuple[dict, Prompts]:
    """`ids`, `padding` of the decoder and `encoder`, the encoder's batch; and the decoder's prompts."""
    config = model.config
    if model.head_name != "seq2seq_lm":
        raise ValueError(f"generate needs the head 'seq2seq_lm', this model has {model.head_name!r}: "
                         "tfplm.from_pretrained(source, 'seq2seq_lm')")
    batch = _as_dict(batch)
    source = align(batch)
    check_ids(source.given, config, "input_ids")
    limit = config.position_limit
    if limit is not None and source.longest > limit:
        raise ValueError(f"input of {source.longest} tokens, but the model has positions for {limit}: truncate it, "
                         f"e.g. tokenizer(text, max_length={limit})")
    width = bucket(source.longest) if limit is None else min(bucket(source.longest), limit)
    lengths = source.ids.shape[1] - source.padding
    encoder = {"input_ids": np.full((len(lengths), width), config.pad_token_id or 0, np.int32),
               "attention_mask": (np.arange(width) < lengths[:, None]).astype(np.int32)}
    for row, length in enumerate(lengths):  # encoders count positions from the left edge
        encoder["input_ids"][row, :length] = source.ids[row, source.ids.shape[1] - length:]
    if batch.get("decoder_input_ids") is not None:
        prompts = align(batch, "decoder_input_ids", "decoder_attention_mask")
        if len(prompts.given) != len(source.given):
            raise ValueError(f"decoder_input_ids has {len(prompts.given)} rows, but input_ids {len(source.given)}")
    else:
        prompts = align({"input_ids": np.full((len(lengths), 1), _start(config, options), np.int32)})
    check_ids(prompts.given, config, "decoder_input_ids")
    check_length(prompts, config, options)
    return {"ids": prompts.ids, "padding": prompts.padding, "encoder": encoder}, prompts


def _as_dict(batch) -> dict:
    batch = batch if isinstance(batch, dict) else {"input_ids": batch}
    if "input_ids" not in batch:
        raise ValueError(f"the batch has no 'input_ids', only {', '.join(map(repr, batch)) or 'nothing'}")
    return batch


def _start(config: Config, options: GenerationOptions) -> int:
    for start in (options.decoder_start_token_id, config.decoder_start_token_id):
        if start is not None:
            return start
    if config.language_code_first:
        raise ValueError("mBART begins its text with the code of the language: give decoder_start_token_id, "
                         "e.g. tokenizer.convert_tokens_to_ids('en_XX')")
    if config.bos_token_id is None:
        raise ValueError("the configuration has no decoder_start_token_id: give one")
    return config.bos_token_id


def check_ids(ids: np.ndarray, config: Config, name: str) -> None:
    """Refuses ids outside the vocabulary."""
    wrong = ids[(ids < 0) | (ids >= config.vocab_size)]
    if wrong.size:
        raise ValueError(f"{name} holds {wrong[0]}, but the vocabulary has the ids 0 ... {config.vocab_size - 1}: does "
                         "the tokenizer belong to this model?")


def check_length(prompts: Prompts, config: Config, options: GenerationOptions) -> None:
    """Refuses prompts without room for the new tokens."""
    limit, longest = config.position_limit, prompts.longest
    if limit is None or longest + options.max_new_tokens - 1 <= limit:  # the last token is not read any more
        return
    room = limit - longest + 1
    way = (f"max_new_tokens={room} fits, or cut the prompt to {max(limit - options.max_new_tokens + 1, 0)} tokens"
           if room > 0 else f"cut it to fewer than {limit} tokens, e.g. tokenizer(text, max_length=...)")
    raise ValueError(f"prompt of {longest} tokens and {options.max_new_tokens} new ones, but the model has positions "
                     f"for {limit}: {way}")
