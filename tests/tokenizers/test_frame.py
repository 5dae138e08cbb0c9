"""Special tokens around texts, and truncation of pairs."""

import numpy as np
import pytest

from tfplm.tokenizers import Tokenizer
from tfplm.tokenizers.frame import Frame, cut_pair, divide


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    file = tmp_path_factory.mktemp("frame") / "vocab.txt"
    file.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "语", "言"]), encoding="utf-8")
    return Tokenizer.from_vocab(file)


def truncate_seq_pair(first: list, second: list, room: int) -> None:
    """BERT's `run_classifier.py`."""
    while len(first) + len(second) > room:
        (first if len(first) > len(second) else second).pop()


def test_a_pair_is_truncated_as_in_bert():
    for room in range(12):
        for left in range(14):
            for right in range(14):
                first, second = [0] * left, [0] * right
                truncate_seq_pair(first, second, room)
                assert cut_pair(left, right, room) == (len(first), len(second)), (left, right, room)
    assert cut_pair(3, 4, -1) == (0, 0)


@pytest.mark.parametrize("texts", [("语言",), ("",), ("语言 a b", "b 语"), ("", "语言"), ("语言 a b a b", "a")])
@pytest.mark.parametrize("most", [None, 8, 6])
def test_a_frame_equals_the_tokenizer(tokenizer, texts, most):
    expected = tokenizer(*texts, max_length=most, truncation="longest_first" if most else False, padding=False)
    pieces = [tokenizer(text, add_special_tokens=False, padding=False)["input_ids"][0] for text in texts]
    ids, types = Frame.of(tokenizer).around(*pieces, most=most)
    np.testing.assert_array_equal(ids, expected["input_ids"][0])
    np.testing.assert_array_equal(types, expected["token_type_ids"][0])


def test_tokens_of_a_pair():
    assert divide(["语", "言"]) == (["语", "言"], None)
    assert divide(["a", "|||", "b", "|||", "语"]) == (["a", "|||", "b"], ["语"])
    assert divide(["|||"]) == ([], [])
