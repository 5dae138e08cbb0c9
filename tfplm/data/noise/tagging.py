"""Token classification as a pre-training task: predict the position of each token within its word."""

import numpy as np

from tfplm.data.noise.rows import require
from tfplm.data.noise.vocabulary import NoiseVocabulary

WORD_TAGS = ("B", "M", "E", "S")  # beginning, middle, end, single


def tag_words(batch: dict, rng: np.random.Generator, vocabulary: NoiseVocabulary) -> dict:
    """Adds `labels [B,T]`, the index in `WORD_TAGS`, and `label_weights [B,T]` (0 for special tokens and padding).

    With records made by a Chinese segmenter the task is word segmentation; after `join_phrases` it also covers the
    listed phrases and entities. Nothing here is random. See also `predict_next`.
    """
    ordinary = (batch["attention_mask"] == 1) & ~vocabulary.is_special(batch["input_ids"])
    starts = ~ordinary | (require(batch, "word_starts") == 1)
    starts[:, 0] = True
    starts[:, 1:] |= ~ordinary[:, :-1]
    ends = np.ones_like(starts)
    ends[:, :-1] = starts[:, 1:]
    labels = np.select([starts & ends, starts, ends], [3, 0, 2], 1)
    result = {key: value for key, value in batch.items() if key not in ("word_starts", "sentence_ids")}
    return result | {"labels": (labels * ordinary).astype(np.int32), "label_weights": ordinary.astype(np.int32)}
