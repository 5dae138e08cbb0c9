"""Checks of the batches passed to `generate`, and their conversion to the inputs of a program."""

import numpy as np

from tfplm.core.config import Config
from tfplm.models.generation.prompts import Prompts, align, bucket
from tfplm.options.generate import GenerationOptions


def decoder_inputs(model, batch, options: GenerationOptions) -> tuple[dict, Prompts]:
    """The inputs of a decoder-only model (`ids`, `padding` and `token_type_ids`), and its prompts."""
    config = model.config
    if model.head_name != "causal_lm":
        raise ValueError(f"the model has the head {model.head_name!r}; generate needs 'causal_lm': load it with "
                         "tfplm.from_pretrained(source, 'causal_lm')")
    if config.attention_type not in ("causal", "prefix"):
        raise ValueError(f"attention_type is '{config.attention_type}'; generate needs a model that does not attend to "
                         "later tokens: load it with attention_type='causal' (or 'prefix')")
    batch = _as_dict(batch)
    prompts = align(batch)
    check_ids(prompts.given, config, "input_ids")
    check_length(prompts, config, options)
    return {"ids": prompts.ids, "padding": prompts.padding, **prompts.other}, prompts


def seq2seq_inputs(model, batch, options: GenerationOptions) -> tuple[dict, Prompts]:
    """The inputs of an encoder-decoder (`ids`, `padding`, and `encoder`, a batch), and the prompts of its decoder."""
    config = model.config
    if model.head_name != "seq2seq_lm":
        raise ValueError(f"the model has the head {model.head_name!r}; generate needs 'seq2seq_lm': load it with "
                         "tfplm.from_pretrained(source, 'seq2seq_lm')")
    batch = _as_dict(batch)
    source = align(batch)
    check_ids(source.given, config, "input_ids")
    limit = config.position_limit
    if limit is not None and source.longest > limit:
        raise ValueError(f"the input has {source.longest} tokens, but the model has {limit} positions: truncate it, "
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
            raise ValueError(f"decoder_input_ids has {len(prompts.given)} rows, but input_ids has {len(source.given)}; "
                             "expected equally many")
    else:
        prompts = align({"input_ids": np.full((len(lengths), 1), start_token(config, options), np.int32)})
    check_ids(prompts.given, config, "decoder_input_ids")
    check_length(prompts, config, options)
    return {"ids": prompts.ids, "padding": prompts.padding, "encoder": encoder}, prompts


def _as_dict(batch) -> dict:
    batch = batch if isinstance(batch, dict) else {"input_ids": batch}
    if "input_ids" not in batch:
        raise ValueError(f"the batch has the keys {', '.join(map(repr, batch)) or 'none'}; expected 'input_ids': pass "
                         "the result of tokenizer(texts)")
    return batch


def start_token(config: Config, options: GenerationOptions) -> int:
    """The id with which the decoder of an encoder-decoder starts; raises ValueError if there is none."""
    for start in (options.decoder_start_token_id, config.decoder_start_token_id):
        if start is not None:
            return start
    if config.language_code_first:
        raise ValueError("decoder_start_token_id is None; expected the code of the language, with which the texts of "
                         "mBART start: pass e.g. tokenizer.convert_tokens_to_ids('en_XX')")
    if config.bos_token_id is None:
        raise ValueError("the configuration has neither decoder_start_token_id nor bos_token_id; expected one of them: "
                         "pass decoder_start_token_id")
    return config.bos_token_id


def check_ids(ids: np.ndarray, config: Config, name: str) -> None:
    """Raises ValueError for ids outside the vocabulary."""
    wrong = ids[(ids < 0) | (ids >= config.vocab_size)]
    if wrong.size:
        raise ValueError(f"{name} contains {wrong[0]}; expected ids from 0 to {config.vocab_size - 1}, the vocabulary "
                         "of the model: use its tokenizer")


def check_length(prompts: Prompts, config: Config, options: GenerationOptions) -> None:
    """Raises ValueError for prompts that leave too few positions for the new tokens."""
    limit, longest = config.position_limit, prompts.longest
    if limit is None or longest + options.max_new_tokens - 1 <= limit:  # the last token is not an input
        return
    room = limit - longest + 1
    length = max(limit - options.max_new_tokens + 1, 0)
    advice = (f"use max_new_tokens={room}, or truncate the prompt to {length} tokens" if room > 0 else
              f"truncate it to fewer than {limit} tokens, e.g. tokenizer(text, max_length=...)")
    raise ValueError(f"a prompt has {longest} tokens and max_new_tokens is {options.max_new_tokens}, but the model has "
                     f"{limit} positions: {advice}")
