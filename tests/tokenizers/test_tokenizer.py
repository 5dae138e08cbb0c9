"""The batch call, decoding, special and added tokens, on a vocabulary small enough to check by hand."""

import pickle
import threading

import numpy as np
import pytest

import tfplm


def test_a_batch(tokenizer):
    batch = tokenizer(["the cats sat", "我们爱猫。"], return_offsets=True, return_special_tokens_mask=True,
                      return_word_ids=True)
    assert {key: value.dtype for key, value in batch.items()} == dict.fromkeys(batch, np.dtype("int32"))
    assert batch["input_ids"].tolist() == [[3, 6, 7, 9, 8, 4, 0], [3, 14, 15, 16, 17, 20, 4]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1, 1, 0], [1] * 7]
    assert batch["token_type_ids"].tolist() == [[0] * 7] * 2
    assert batch["offsets"][0].tolist() == [[0, 0], [0, 3], [4, 7], [7, 8], [9, 12], [0, 0], [0, 0]]
    assert batch["special_tokens_mask"][0].tolist() == [1, 0, 0, 0, 0, 1, 1]
    assert batch["word_ids"][0].tolist() == [-1, 0, 1, 1, 2, -1, -1]


def test_one_text_is_a_batch_of_one(tokenizer):
    assert tokenizer("the cat")["input_ids"].tolist() == [[3, 6, 7, 4]]
    assert tokenizer("the", "cat")["token_type_ids"].tolist() == [[0, 0, 0, 1, 1]]
    assert tokenizer("")["input_ids"].tolist() == [[3, 4]]
    assert tokenizer("", add_special_tokens=False)["input_ids"].shape == (1, 0)
    assert tokenizer([])["input_ids"].shape == (0, 0)


@pytest.mark.parametrize("padding, width", [("longest", 5), ("max_length", 9), (True, 5), (4, 8), (8, 8), (64, 9)])
def test_padding(tokenizer, padding, width):
    batch = tokenizer(["the", "the cat sat"], max_length=9, padding=padding)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, width)
    assert batch["attention_mask"].sum() == 8


def test_padding_off_and_left(tokenizer):
    rows = tokenizer(["the", "the cat"], padding=False)["input_ids"]
    assert [row.tolist() for row in rows] == [[3, 6, 4], [3, 6, 7, 4]]
    assert tokenizer([], padding=False)["input_ids"] == []
    tokenizer.padding_side = "left"
    batch = tokenizer(["the", "the cat"])
    assert batch["input_ids"].tolist() == [[0, 3, 6, 4], [3, 6, 7, 4]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1], [1, 1, 1, 1]]


def test_windows(tokenizer):
    batch = tokenizer(["the cat sat on the mat", "the"], max_length=5, stride=1, return_offsets=True)
    assert batch["overflow_to_sample_mapping"].tolist() == [0, 0, 0, 1]
    assert [tokenizer.decode(row) for row in batch["input_ids"]] == ["the cat sat", "sat on the", "the mat", "the"]
    assert batch["offsets"][1, 1].tolist() == [8, 11]


def test_words(tokenizer):
    batch = tokenizer([["cats", "我们"], ["mat"]], is_split_into_words=True, return_word_ids=True)
    assert batch["input_ids"].tolist() == [[3, 7, 9, 14, 15, 4], [3, 11, 4, 0, 0, 0]]
    assert batch["word_ids"].tolist() == [[-1, 0, 0, 1, 1, -1], [-1, 0, -1, -1, -1, -1]]


def test_words_of_byte_level_bpe_have_their_space(data):
    tokenizer = tfplm.Tokenizer.from_bpe(data("vocabs", "gpt2", "encoder.json"), data("vocabs", "gpt2", "vocab.bpe"))
    words = tokenizer([["Hello", "world"]], is_split_into_words=True, return_offsets=True)
    assert tokenizer.convert_ids_to_tokens(words["input_ids"][0]) == ["ĠHello", "Ġworld"]
    assert words["offsets"].tolist() == [[[0, 5], [0, 5]]]
    tokenizer.add_tokens("worldqx")
    assert len(tokenizer) - 1 in tokenizer([["Hello", "worldqx"]], is_split_into_words=True)["input_ids"]
    assert tokenizer.tokenize("Hello world") == ["Hello", "Ġworld"]


def test_special_tokens_in_the_text_stay_whole(tokenizer):
    assert tokenizer.tokenize("the [MASK] sat.") == ["the", "[MASK]", "sat", "."]
    assert tokenizer.tokenize("我[MASK]猫") == ["我", "[MASK]", "猫"]


def test_decode(tokenizer):
    ids = tokenizer("我们爱猫, the cats。")["input_ids"][0]
    assert tokenizer.decode(ids) == "我们爱猫, the cats 。"
    assert tokenizer.decode(ids, skip_special_tokens=False).startswith("[CLS] 我们爱猫")
    assert tokenizer.batch_decode(tokenizer(["the", "猫"])["input_ids"]) == ["the", "猫"]


def test_tokens_and_ids(tokenizer):
    assert tokenizer.convert_tokens_to_ids(["cat", "dog"]) == [7, 2]
    assert tokenizer.convert_ids_to_tokens(7) == "cat"
    assert tokenizer.convert_ids_to_tokens(np.array([7, 5])) == ["cat", "[MASK]"]
    assert tokenizer.vocab["mat"] == 11
    assert tokenizer.vocab_size == len(tokenizer) == 21
    assert (tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id,
            tokenizer.unk_token_id) == (0, 3, 4, 5, 2)
    assert (tokenizer.mask_token, tokenizer.bos_token, tokenizer.eos_token_id) == ("[MASK]", None, None)
    assert tokenizer.all_special_tokens == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def test_added_tokens(tokenizer, tmp_path):
    assert tokenizer.tokenize("the [E1] cat") == ["the", "[UNK]", "[UNK]", "[UNK]", "cat"]
    assert tokenizer.add_tokens(["[E1]", "[MASK]"], special=True) == 1
    assert tokenizer.add_tokens("新冠") == 1
    assert len(tokenizer) == 23
    ids = tokenizer("the [E1] cat 我新冠")["input_ids"][0]
    assert ids.tolist() == [3, 6, 21, 7, 14, 22, 4]
    assert tokenizer.decode(ids) == "the cat 我新冠"
    tokenizer.save_pretrained(tmp_path / "saved")
    again = tfplm.Tokenizer.from_pretrained(tmp_path / "saved")
    assert len(again) == 23
    assert again("the [E1] cat 我新冠")["input_ids"][0].tolist() == ids.tolist()


def test_texts_longer_than_the_limit(tokenizer):
    tokenizer.model_max_length = 4
    assert tokenizer("the cat", padding="max_length")["input_ids"].shape == (1, 4)
    with pytest.raises(ValueError, match=r"text 1 has 5 tokens, more than 4; the model takes 4: pass max_length=4 to "
                                         r"truncate .*truncation=False"):
        tokenizer(["the", "the cat sat"])
    assert tokenizer("the cat sat", max_length=4)["input_ids"].shape == (1, 4)
    assert tokenizer("the cat sat", truncation=False)["input_ids"].shape == (1, 5)


@pytest.mark.parametrize("arguments, error, message", [
    ({"texts": ["a", None]}, TypeError, r"texts\[1\] is NoneType: expected str"),
    ({"texts": [["a"], "b"], "is_split_into_words": True}, TypeError, r"texts\[1\] is str: expected a list of words"),
    ({"texts": ["a", "b"], "pairs": ["c"]}, ValueError, "2 texts but 1 pairs"),
    ({"texts": ["a", "b"], "pairs": "c"}, ValueError, "pairs is one text, but there are 2 texts"),
    ({"texts": "a\ud800"}, ValueError, "not Unicode text.*wrong encoding"),
    ({"texts": "a", "truncation": "first"}, ValueError, "truncation='first': expected longest_first, only_first"),
    ({"texts": "a", "padding": "long"}, ValueError, 'padding=\'long\': expected "longest", "max_length"'),
    ({"texts": "a", "padding": "max_length"}, ValueError, "needs max_length=N"),
    ({"texts": "a", "max_length": 2}, ValueError, "max_length=2 leaves no room for text: 2 special tokens"),
    ({"texts": "a", "stride": 1}, ValueError, "stride needs max_length"),
    ({"texts": "a", "stride": 3, "max_length": 5}, ValueError, "stride=3 must be less than the 3 tokens"),
    ({"texts": "a", "max_length": 5, "truncation": "only_second"}, ValueError, "needs pairs"),
    ({"texts": "the cat sat", "max_length": 4, "truncation": False}, ValueError, "5 tokens, more than 4; .*longest_fi"),
    ({"texts": "a", "return_everything": True}, TypeError, "return_everything"),
])
def test_wrong_arguments(tokenizer, arguments, error, message):
    with pytest.raises(error, match=message):
        tokenizer(**arguments)


def test_ids_out_of_the_vocabulary(tokenizer):
    with pytest.raises(ValueError, match="id 99 is not in the vocabulary: expected 0 to 20"):
        tokenizer.decode([1, 99])
    with pytest.raises(ValueError, match="id -100 is not"):
        tokenizer.convert_ids_to_tokens(np.array([-100]))


@pytest.mark.parametrize("name", ["bert_base_uncased_vocab.txt", "t5_base_spiece.model"])
def test_pickle_and_kinds_of_strings(data, name):
    class Text(str):
        pass

    tokenizer = tfplm.Tokenizer.from_pretrained(data("vocabs", name))
    expected = tokenizer(["the \ue001 cat", "dog"])["input_ids"]
    for texts in (np.array(["the \ue001 cat", "dog"]), [Text("the \ue001 cat"), "dog"], ("the \ue001 cat", "dog")):
        np.testing.assert_array_equal(tokenizer(texts)["input_ids"], expected)
    again = pickle.loads(pickle.dumps(tokenizer))
    tokenizer.add_tokens("\ue001")
    assert "\ue001" in tokenizer.tokenize("a \ue001") and "\ue001" not in again.tokenize("a \ue001")
    np.testing.assert_array_equal(again(["the \ue001 cat", "dog"])["input_ids"], expected)
    assert tokenizer(["", "\ue002"], ["", "x"], max_length=8)["attention_mask"].shape[0] == 2


def test_pickle_and_threads(tokenizer):
    again = pickle.loads(pickle.dumps(tokenizer))
    results = []

    def work(length):
        for turn in range(50):
            text = "the cat sat on the mat" if turn % 2 else "the cat \ue001 on the mat"
            results.append(again(text, max_length=length)["input_ids"].shape == (1, length))

    threads = [threading.Thread(target=work, args=(length,)) for length in (3, 4, 5, 6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert results == [True] * 200
