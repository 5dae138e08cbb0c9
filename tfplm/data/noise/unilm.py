"""UniLM's mixture: masked language modelling under four attention masks (Dong et al. 2019, section 2.3)."""

import numpy as np

from tfplm.data.noise.masking import Masking, mask_tokens
from tfplm.data.noise.vocabulary import NoiseVocabulary

POLICIES = ("bidirectional", "left_to_right", "right_to_left", "seq2seq")
_SHARES = (1 / 3, 1 / 6, 1 / 6, 1 / 3)
_MASKING = Masking(unit="ngram", lengths=(0.8, 0.1, 0.1))  # 80 % single tokens, else a bigram or trigram


def mix_policies(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, masking: Masking = _MASKING,
                 shares: tuple[float, ...] = _SHARES) -> dict:
    """Applies `mask_tokens` and draws an attention mask per example: by default a third of the examples are
    bidirectional, a third sequence-to-sequence, a sixth left-to-right and a sixth right-to-left.

    Adds `attention_policy [B]`, the index of the example's mask in `POLICIES`, and `prefix_lengths [B]`, the number of
    leading tokens that every token may attend to; the other tokens attend to one side only. It is all tokens for
    bidirectional, none for left-to-right and right-to-left, and the first segment for sequence-to-sequence.
    """
    if len(shares) != len(POLICIES) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares {shares}: expected {len(POLICIES)} numbers that add up to 1, for {POLICIES}")
    policy = np.searchsorted(np.cumsum(shares)[:-1], rng.random(len(batch["input_ids"])), side="right").astype(np.int32)
    real = batch["attention_mask"]
    lengths = real.sum(1)
    source = ((batch["token_type_ids"] == 0) & (real == 1)).sum(1)
    prefix = np.select([policy == 0, policy == 3], [lengths, source], 0).astype(np.int32)
    return mask_tokens(batch, rng, vocabulary, masking) | {"attention_policy": policy, "prefix_lengths": prefix}
