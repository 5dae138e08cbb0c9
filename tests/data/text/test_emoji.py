import numpy as np
import pytest

from tests.data.text_cases import make_tokenizer
from tfplm.data.batches.batching import Batching
from tfplm.data.sequences.labelled import text_batches
from tfplm.data.text.emoji import emoji_classes, emoji_examples, find_emoji, remove_emoji


def test_finding_and_removing():
    text = "今天很开心😂😂❤️ good job👍🏽 see you 👩‍💻 in 🇨🇳!"
    assert find_emoji(text) == ["😂", "😂", "❤", "👍", "👩‍💻", "🇨🇳"]
    assert remove_emoji(text) == "今天很开心 good job see you in !"
    assert find_emoji("plain 中文 text, 100% © 2020 → fine") == []


def test_examples():
    texts = ["a 😂", "b 😂❤", "c ❤ 😂 😂", "d 🎄", "😂", "none"]
    classes = emoji_classes(texts, most=2)
    assert classes == ["😂", "❤"]
    assert list(emoji_examples(texts, classes)) == [("a", 0), ("b", 0), ("b", 1), ("c", 1), ("c", 0)]
    with pytest.raises(ValueError, match="no emoji to predict"):
        list(emoji_examples(texts, []))


def test_tweets(data):
    folder = data("tweeteval_emoji")
    names = [line.split("\t")[1] for line in (folder / "mapping.txt").read_text(encoding="utf-8").splitlines() if line]
    assert all(len(find_emoji(name)) == 1 for name in names), "every class is found as one emoji"


def test_batches(tmp_path):
    tokenizer = make_tokenizer(tmp_path)
    labelled = [("the model reads", 0), ("我们今天去看书", 1), ("the text", 2)] * 50
    source = text_batches(labelled, tokenizer, max_length=6, batching=Batching(64))
    batches = list(source.epoch(0))
    labels = np.concatenate([batch["labels"] for batch in batches])
    assert np.bincount(labels).tolist() == [50, 50, 50]
    for batch in batches:
        assert batch["input_ids"].shape[1] <= 6 and batch["labels"].dtype == np.int32
        for row, label, mask in zip(batch["input_ids"], batch["labels"], batch["attention_mask"]):
            assert row[:mask.sum()].tolist() == tokenizer(labelled[label][0], max_length=6)["input_ids"][0].tolist()
