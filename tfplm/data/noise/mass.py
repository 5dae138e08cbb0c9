"""MASS: masked sequence to sequence (Song et al. 2019, section 3.2)."""

import numpy as np

from tfplm.data.noise.rows import body_bounds, gather_left, share_of
from tfplm.data.noise.vocabulary import NoiseVocabulary


def mask_segment(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.5,
                 mask_share: float = 0.8, random_share: float = 0.1) -> dict:
    """Hides one run of `rate` of each row's tokens from the encoder; the decoder must say it (S = the longest run).

    The run stands at the beginning or at the end with probability 0.2 each, else anywhere; its tokens become [MASK]
    (80 %), random (10 %) or stay (10 %). Adds `decoder_input_ids [B,S]` (the run moved right behind a [MASK]),
    `decoder_attention_mask`, `decoder_position_ids` (places in the original), `labels`, `label_weights`; int32.
    """
    vocabulary.need("mask")
    ids = batch["input_ids"]
    first, end = body_bounds(batch, vocabulary)
    room = end - first
    size = np.minimum(share_of(room, rate), room)
    free = room - size
    u = rng.random(len(ids))
    start = first + np.where(u < 0.2, 0, np.where(u < 0.4, free, (rng.random(len(ids)) * (free + 1)).astype(np.int64)))
    columns = np.arange(ids.shape[1])
    hidden = (columns >= start[:, None]) & (columns < (start + size)[:, None])
    fate = rng.random(ids.shape)
    noisy = np.where(hidden & (fate < mask_share), vocabulary.mask, ids)
    noisy = np.where(hidden & (fate >= mask_share) & (fate < mask_share + random_share),
                     rng.integers(0, vocabulary.size, ids.shape), noisy).astype(np.int32)
    width = max(int(size.max(initial=0)), 1)
    labels, weights, positions = gather_left(hidden, width, ids, hidden, np.broadcast_to(columns, ids.shape))
    before = np.full_like(labels, vocabulary.mask)
    before[:, 1:] = labels[:, :-1]
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"input_ids": noisy, "decoder_input_ids": before * weights, "decoder_attention_mask": weights,
                     "decoder_position_ids": positions, "labels": labels, "label_weights": weights}
