"""Batches of labelled texts."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from tfplm.data.batches.batch_source import BatchSource, shuffled
from tfplm.data.batches.batching import token_pads
from tfplm.data.sequences.documents import noise_vocabulary

_TEXTS_AT_ONCE = 1024


def text_examples(labelled: Iterable[tuple[str, int]], tokenizer, max_length: int = 128, key: str = "labels"
                  ) -> Iterator[dict]:
    """Converts (text, label) to examples with `input_ids`, `token_type_ids` `[T_i]`, and the label under `key`, int32.

    Longer texts are truncated.
    """
    labelled = iter(labelled)
    while chunk := list(itertools.islice(labelled, _TEXTS_AT_ONCE)):
        batch = tokenizer([text for text, _ in chunk], padding=False, max_length=max_length)
        for ids, types, (_, label) in zip(batch["input_ids"], batch["token_type_ids"], chunk):
            yield {"input_ids": ids, "token_type_ids": types, key: np.int32(label)}


def text_batches(labelled: Iterable[tuple[str, int]], tokenizer, max_length: int = 128, key: str = "labels", **source
                 ) -> BatchSource:
    """Batches of labelled texts of similar length, with the labels `[B]` under `key`; the ids are stored in memory.

    source: `batching`, `noise`, `seed`, `shuffle` of `BatchSource`.
    """
    examples = list(text_examples(labelled, tokenizer, max_length, key))
    return BatchSource(shuffled(examples), pads=token_pads(noise_vocabulary(tokenizer).pad), **source)
