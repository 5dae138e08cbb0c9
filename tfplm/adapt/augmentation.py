"""Augmentation while fine-tuning: batches changed at random, anew in each epoch."""

from tfplm.options.finetune import FinetuneOptions
from tfplm.tokenizers import Tokenizer


def noise_of(options: FinetuneOptions, tokenizer: Tokenizer):
    """`noise(batch, rng)` for `TaskBatches`; None without augmentation."""
    if options.augment == "none":
        return None
    raise ValueError("not yet")
