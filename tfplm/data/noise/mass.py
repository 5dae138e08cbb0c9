"""MASS: masked sequence-to-sequence pre-training (Song et al. 2019, section 3.2)."""

import numpy as np

from tfplm.data.noise.rows import body_bounds, gather_left, share_of
from tfplm.data.noise.vocabulary import NoiseVocabulary


def mask_segment(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, rate: float = 0.5,
                 mask_share: float = 0.8, random_share: float = 0.1) -> dict:
    """Masks one segment, `rate` of each row's tokens, for the decoder to predict (S = the longest segment).

    The segment is at the start or at the end with probability 0.2 each, else anywhere; its tokens become [MASK] (80 %)
    or random (10 %), or are kept (10 %). Adds `decoder_input_ids [B,S]` (the segment shifted right, after a [MASK]),
    `decoder_attention_mask`, `decoder_position_ids` (positions in the original row), `labels`, `label_weights`; int32.
    """
    vocabulary.need("mask")
    ids = batch["input_ids"]
    first, end = body_bounds(batch, vocabulary)
    body = end - first
    size = np.minimum(share_of(body, rate), body)
    free = body - size
    u = rng.random(len(ids))
    start = first + np.where(u < 0.2, 0, np.where(u < 0.4, free, (rng.random(len(ids)) * (free + 1)).astype(np.int64)))
    columns = np.arange(ids.shape[1])
    inside = (columns >= start[:, None]) & (columns < (start + size)[:, None])
    draw = rng.random(ids.shape)
    noisy = np.where(inside & (draw < mask_share), vocabulary.mask, ids)
    noisy = np.where(inside & (draw >= mask_share) & (draw < mask_share + random_share),
                     rng.integers(0, vocabulary.size, ids.shape), noisy).astype(np.int32)
    width = max(int(size.max(initial=0)), 1)
    labels, weights, positions = gather_left(inside, width, ids, inside, np.broadcast_to(columns, ids.shape))
    shifted = np.full_like(labels, vocabulary.mask)
    shifted[:, 1:] = labels[:, :-1]
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"input_ids": noisy, "decoder_input_ids": shifted * weights, "decoder_attention_mask": weights,
                     "decoder_position_ids": positions, "labels": labels, "label_weights": weights}
