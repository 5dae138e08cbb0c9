import numpy as np
import pytest

from tests.data.noise.noise_cases import VOCABULARY
from tfplm.data.noise import WORD_TAGS, tag_words


def test_tags_of_words():
    ids = np.array([[2, 50, 51, 52, 53, 54, 3, 60, 61, 3, 0]], np.int32)
    starts = np.array([[1, 1, 0, 0, 1, 1, 1, 0, 0, 1, 0]], np.int32)
    batch = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int32), "word_starts": starts}
    result = tag_words(batch, None, VOCABULARY)
    pairs = zip(result["labels"][0], result["label_weights"][0])
    tags = [WORD_TAGS[label] if weight else "-" for label, weight in pairs]
    assert "".join(tags) == "-BMESS-BE--"
    assert "word_starts" not in result and result["labels"].dtype == np.int32
    del batch["word_starts"]
    with pytest.raises(ValueError, match="needs word_starts, and the batch has only input_ids, attention_mask"):
        tag_words(batch, None, VOCABULARY)
