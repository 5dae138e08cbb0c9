"""BERT's static features, in the exact format of `create_pretraining_data.py` of google-research/bert."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from tfplm.data.batches.batching import collate, token_pads
from tfplm.data.noise.masking import Masking, mask_tokens
from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.records.example import decode_example, encode_example
from tfplm.data.records.tfrecord import read_records
from tfplm.data.sequences.documents import Document
from tfplm.data.sequences.segment_pairs import segment_pairs

# name in the file -> name in a batch
NAMES = {"input_ids": "input_ids", "input_mask": "attention_mask", "segment_ids": "token_type_ids",
         "masked_lm_positions": "masked_lm_positions", "masked_lm_ids": "masked_lm_ids",
         "masked_lm_weights": "masked_lm_weights", "next_sentence_labels": "next_sentence_labels"}
_ROWS_AT_ONCE = 512


def masked_pairs(documents: Sequence[Document], vocabulary: NoiseVocabulary, masking: Masking,
                 rng: np.random.Generator, **pairs) -> Iterator[dict]:
    """Batches of masked segment pairs, padded to `length`; `pairs` are keyword arguments of `segment_pairs`."""
    examples = list(segment_pairs(documents, vocabulary=vocabulary, rng=rng, **pairs))
    order = rng.permutation(len(examples))
    for start in range(0, len(order), _ROWS_AT_ONCE):
        batch = collate([examples[i] for i in order[start:start + _ROWS_AT_ONCE]], pairs["length"],
                        token_pads(vocabulary.pad))
        yield mask_tokens(batch, rng, vocabulary, masking)


def encode_features(batch: dict) -> Iterator[bytes]:
    """Serializes each row of a batch; the weights are stored as floats."""
    for row in range(len(batch["input_ids"])):
        values = {name: np.atleast_1d(batch[ours][row]) for name, ours in NAMES.items()}
        values["masked_lm_weights"] = values["masked_lm_weights"].astype(np.float32)
        yield encode_example(values)


def read_features(files: Iterable[str], rng: np.random.Generator | None = None) -> Iterator[dict]:
    """Reads int32 examples, with the names of a batch and without padding, from plain or gzip files in this format.

    rng: reads the files in random order. Raises ValueError, naming the missing features, for a file in another format.
    """
    files = list(files)
    for index in rng.permutation(len(files)) if rng else range(len(files)):
        for record in read_records(files[index]):
            features = decode_example(record, NAMES, files[index])
            example = {ours: features[name].astype(np.int32) for name, ours in NAMES.items()}
            length = int(example.pop("attention_mask").sum())
            for key in ("input_ids", "token_type_ids"):
                example[key] = example[key][:length]
            yield example | {"next_sentence_labels": example["next_sentence_labels"][0]}
