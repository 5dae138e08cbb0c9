"""Every labelled set, read with no setting but its kind."""

import collections

import pytest

from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading, Report

NUMBER = Reading(label_kind="number")


@pytest.mark.parametrize("path, rows, labels", [
    ("sst2/train.tsv", 6920, {"0", "1"}), ("sst2/test.tsv", 1821, {"0", "1"}), ("cola/train.tsv", 8551, {"0", "1"}),
    ("cola/dev_out_of_domain.tsv", 516, {"0", "1"})])
def test_single_sentences(data, path, rows, labels):
    examples = read_examples(data(*path.split("/")), "text")
    assert len(examples) == rows and {example.label for example in examples} == labels
    assert all(example.text and example.pair is None for example in examples)
    assert examples[1].origin.endswith(f"{path.split('/')[1]}:2")


@pytest.mark.parametrize("split, rows", [("train", 34334), ("dev", 4316)])
def test_afqmc(data, split, rows):
    examples = read_examples(data("afqmc"), "text", split=split)
    assert len(examples) == rows and all(example.text and example.pair for example in examples)
    zeros = sum(example.label == "0" for example in examples) / rows
    assert abs(zeros - 0.69) < 0.005


@pytest.mark.parametrize("name, split, rows", [("stsb", "train", 5749), ("stsb", "dev", 1500), ("stsb_zh", "train", 5231),
                                               ("stsb_zh", "dev", 1458), ("stsb_zh", "test", 1361)])
def test_sentence_similarity(data, name, split, rows):
    examples = read_examples(data(name), "text", NUMBER, split)
    assert len(examples) == rows and all(0 <= example.label <= 5 and example.pair for example in examples)
    if name == "stsb" and split == "dev":
        first = examples[0]
        assert (first.text, first.pair) == ("A man with a hard hat is dancing.", "A man wearing a hard hat is dancing.")
        assert (first.label, first.id) == (5.0, "0") and first.origin.endswith("dev.tsv:2")


def test_thucnews_with_the_names_of_its_classes(data):
    for split in ("dev", "test"):
        examples = read_examples(data("thucnews"), "text", split=split)
        counts = collections.Counter(example.label for example in examples)
        assert len(examples) == 10_000 and set(counts.values()) == {1000}
        assert set(counts) == {"finance", "realty", "stocks", "education", "science", "society", "politics", "sports",
                               "game", "entertainment"}
    numbers = read_examples(data("thucnews", "test.txt"), "text", Reading(label_names="none"))
    assert numbers[0].label == "3" and examples[0].label == "education"


@pytest.mark.parametrize("name, rows, types", [
    ("weibo_ner", (1350, 270, 270), {f"{kind}.{form}" for kind in ("PER", "LOC", "GPE", "ORG") for form in ("NAM", "NOM")}),
    ("peoples_daily_ner", (None, 2318, 4636), {"PER", "LOC", "ORG"}),
    ("wnut17", (3394, 1009, 1287), {"person", "location", "corporation", "product", "group", "creative-work"})])
def test_named_entities(data, name, rows, types):
    found = set()
    for split, count in zip(("train", "dev", "test"), rows):
        if count is None:
            with pytest.raises(ValueError, match="the folder has no train data, only dev, test"):
                read_examples(data(name), "tagging")
            continue
        examples = read_examples(data(name), "tagging", split=split)
        assert len(examples) == count
        assert all(len(example.words) == len(example.tags) and all(example.words) for example in examples)
        found |= {tag[2:] for example in examples for tag in example.tags if tag != "O"}
    assert found <= types and len(found) >= len(types) - 1


def test_weibo_characters_lose_the_position_in_the_word(data):
    examples = read_examples(data("weibo_ner"), "tagging")
    assert "".join(examples[0].words[:6]) == "科技全方位资"
    words = {word for example in examples for word in example.words}
    assert {word for word in words if len(word) != 1} == {"\ufffd" * 2}  # what the file has for emoji
    kept = read_examples(data("weibo_ner"), "tagging", Reading(strip_segmentation="no"))
    assert kept[0].words[:2] == ("科0", "技1")


@pytest.mark.parametrize("split, rows, answers, unplaced", [("dev", 3219, 9657, 193), ("test", 1002, 1002, 0)])
def test_cmrc(data, split, rows, answers, unplaced):
    examples = read_examples(data("cmrc2018"), "question", split=split)
    assert len(examples) == rows and not any(example.impossible for example in examples)
    given = [(answer, example) for example in examples for answer in example.answers]
    assert len(given) == answers and sum(answer.start < 0 for answer, _ in given) == unplaced
    assert all(example.context.startswith(answer.text, answer.start) for answer, example in given if answer.start >= 0)
    assert len({example.id for example in examples}) == rows


def test_multi30k(data):
    for split, rows in (("train", 29_000), ("dev", 1014), ("test", 1000)):
        examples = read_examples(data("multi30k_en_de"), "target", Reading(text_column="en", target_column="de"), split)
        assert len(examples) == rows
    folder = data("multi30k_en_de")
    there = read_examples(f"{folder / 'val.en.gz'},{folder / 'val.de.gz'}", "target")
    assert there[0].text == "A group of men are loading cotton onto a truck"
    assert there[0].target == "Eine Gruppe von Männern lädt Baumwolle auf einen Lastwagen"
    back = read_examples(folder, "target", Reading(text_column="de", target_column="en"), "dev")
    assert (back[0].text, back[0].target) == (there[0].target, there[0].text)


def test_tweeteval(data):
    for split, rows in (("train", 15_000), ("dev", 5000), ("test", 5000)):
        examples = read_examples(data("tweeteval_emoji"), "text", split=split)
        assert len(examples) == rows and len({example.label for example in examples}) == 20
    folder = data("tweeteval_emoji")
    report = Report()
    numbers = read_examples(f"{folder / 'val_text.txt'},{folder / 'val_labels.txt'}", "text", Reading(label_names="none"),
                            report=report)
    assert numbers[1].label == "7" and numbers[0].text.startswith("A little throwback")
    assert (report.rows, report.skipped, report.columns) == (5000, 0, {"text": "text", "label": "label"})


@pytest.mark.parametrize("name, counts", [("sentence_length", (1998, 464, 476)), ("tree_depth", (2000, 438, 453)),
                                          ("past_present", (2000, 475, 461))])
def test_probing(data, name, counts):
    for split, rows in zip(("train", "dev", "test"), counts):
        examples = read_examples(data("probing_ud_ewt", f"{name}.txt"), "text", split=split)
        assert len(examples) == rows
        assert all(len(example.label) < 5 < len(example.text) for example in examples)
    assert len(read_examples(data("probing_ud_ewt", f"{name}.txt"), "text", split=None)) == sum(counts)
