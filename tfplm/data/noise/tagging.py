"""Token classification as a pre-training task: every token says its place in its word."""

import numpy as np

from tfplm.data.noise.rows import needed
from tfplm.data.noise.vocabulary import NoiseVocabulary

WORD_TAGS = ("B", "M", "E", "S")  # begins, inside, ends, alone


def tag_words(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary) -> dict:
    """Adds `labels [B,T]`, the index in `WORD_TAGS`, and `label_weights [B,T]` (0 for special tokens and padding).

    With records of a Chinese segmenter the task is word segmentation; behind `join_phrases` it is to find the listed
    phrases or entities as well. Nothing is random here; sibling of `predict_next`.
    """
    ordinary = (batch["attention_mask"] == 1) & ~vocabulary.is_special(batch["input_ids"])
    begins = ~ordinary | (needed(batch, "word_starts") == 1)
    begins[:, 0] = True
    begins[:, 1:] |= ~ordinary[:, :-1]
    ends = np.ones_like(begins)
    ends[:, :-1] = begins[:, 1:]
    labels = np.select([begins & ends, begins, ends], [3, 0, 2], 1)
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"labels": (labels * ordinary).astype(np.int32), "label_weights": ordinary.astype(np.int32)}
