import pytest

from tfplm.data.text.sentences import split_sentences

ENGLISH = [
    ("He left. She stayed.", ["He left.", "She stayed."]),
    ("Mr. Smith met J. R. R. Tolkien. They talked.", ["Mr. Smith met J. R. R. Tolkien.", "They talked."]),
    ("The U.S. Army paid 3.5 million. See Fig. 2, e.g. The end.",
     ["The U.S. Army paid 3.5 million.", "See Fig. 2, e.g. The end."]),
    ('He said: "Go!" Then he left... Really? 42 of them did.',
     ['He said: "Go!"', "Then he left...", "Really?", "42 of them did."]),
    ("She said no. Then No. 5 came.", ["She said no.", "Then No. 5 came."]),
    ("(It works.) Fine.", ["(It works.)", "Fine."]),
    ("all in small letters . the second one .", ["all in small letters .", "the second one ."]),
    ("It was i and he. then nothing.", ["It was i and he. then nothing."]),
    ("", []), ("   ", []), ("No end", ["No end"]),
]
CHINESE = [
    ("今天天气很好。我们去公园吧！好吗？", ["今天天气很好。", "我们去公园吧！", "好吗？"]),
    ("“你好！”他说。“再见。”她走了", ["“你好！”", "他说。", "“再见。”", "她走了"]),
    ("等一等……他想；于是（真的。）走了！！", ["等一等……", "他想；", "于是（真的。）", "走了！！"]),
    ("话说天下大势．分久必合．", ["话说天下大势．", "分久必合．"]),
    ("价格是3.5元，版本v2.0发布了!太好了", ["价格是3.5元，版本v2.0发布了!", "太好了"]),
    ("「走吧。」他笑道", ["「走吧。」", "他笑道"]),
]


@pytest.mark.parametrize("text,sentences", ENGLISH + CHINESE)
def test_splits(text, sentences):
    assert split_sentences(text) == sentences


def test_long_text_is_cut_at_spaces_and_nothing_is_lost():
    words = "word " * 5000
    pieces = split_sentences(words)
    assert max(map(len, pieces)) <= 1000 and len(pieces) == 25
    assert " ".join(pieces).split() == words.split()
    assert "".join(split_sentences("字" * 2500)) == "字" * 2500


def test_novel_loses_no_character(data):
    for file in sorted(data("zh_novels").glob("*.txt")):
        text = "".join(file.read_text(encoding="utf-8").splitlines()[:200])
        assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())
