"""UniLM's mixture: one model, masked tokens, and four rules of who sees whom (Dong et al. 2019, section 2.3)."""

import numpy as np

from tfplm.data.noise.masking import Masking, mask_tokens
from tfplm.data.noise.vocabulary import NoiseVocabulary

POLICIES = ("bidirectional", "left_to_right", "right_to_left", "seq2seq")
_SHARES = (1 / 3, 1 / 6, 1 / 6, 1 / 3)
_MASKING = Masking(unit="ngram", lengths=(0.8, 0.1, 0.1))  # 80 % single tokens, else a bigram or trigram


def mix_policies(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary, masking: Masking = _MASKING,
                 shares: tuple[float, ...] = _SHARES) -> dict:
    """`mask_tokens`, and a rule per example: a third bidirectional, a third sequence to sequence, a sixth each way.

    Adds `attention_policy [B]`, the index of the example's rule in `POLICIES`, and `prefix_lengths [B]`: the tokens
    that everybody sees while the rest looks to the left only: all tokens (bidirectional), none (left to right; also
    right to left, where the rest looks to the right), the first segment (sequence to sequence).
    """
    if len(shares) != len(POLICIES) or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(f"shares {shares}: expected {len(POLICIES)} numbers that add up to 1, for {POLICIES}")
    policy = np.searchsorted(np.cumsum(shares)[:-1], rng.random(len(batch["input_ids"])), side="right").astype(np.int32)
    real = batch["attention_mask"]
    lengths = real.sum(1)
    source = ((batch["token_type_ids"] == 0) & (real == 1)).sum(1)
    prefix = np.select([policy == 0, policy == 3], [lengths, source], 0).astype(np.int32)
    return mask_tokens(batch, rng, vocabulary, masking) | {"attention_policy": policy, "prefix_lengths": prefix}
