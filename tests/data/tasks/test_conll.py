import gzip

import pytest

from tfplm.data.tasks.examples import TaggedExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading, Report


def read(path, text, reading=None, **more):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_examples(path, "tagging", reading, **more)


def sentences(examples):
    return [(" ".join(example.words), " ".join(example.tags)) for example in examples]


CONLL = """-DOCSTART- -X- -X- O

EU NNP B-NP B-ORG
rejects VBZ B-VP O

# NN O O
1 CD O O
"""


def test_conll_2003(tmp_path):
    found = read(tmp_path / "eng.train", CONLL)
    assert found == [TaggedExample(("EU", "rejects"), ("B-ORG", "O"), "", f"{tmp_path / 'eng.train'}:3"),
                     TaggedExample(("#", "1"), ("O", "O"), "", f"{tmp_path / 'eng.train'}:6")]
    assert sentences(read(tmp_path / "a", CONLL, Reading(tag_column="1")))[0] == ("EU rejects", "NNP VBZ")
    assert sentences(read(tmp_path / "a", CONLL, Reading(text_column="1", tag_column="-2")))[0][0] == "NNP VBZ"
    with pytest.raises(ValueError, match=r"--tag-column 4: expected a number from 0 to 3 \(the file has 4 columns\)"):
        read(tmp_path / "a", CONLL, Reading(tag_column="4"))


@pytest.mark.parametrize("separator", ["\t", " ", "  \t "])
def test_chinese_with_any_ends(tmp_path, separator):
    text = "北 B-LOC\n京 I-LOC\n　 O\n\n\n \n好 O\n".replace(" ", separator)
    expected = [("北 京 　", "B-LOC I-LOC O"), ("好", "O")]
    for content in (text, text.replace("\n", "\r\n"), "\ufeff" + text, gzip.compress(text.encode()), text.rstrip()):
        assert sentences(read(tmp_path / "a.bio", content)) == expected


def test_a_space_may_be_a_word(tmp_path):
    assert read(tmp_path / "a.txt", "你 O\n  O\n好 O\n")[0].words == ("你", " ", "好")


def test_universal_dependencies(tmp_path):
    rows = ["# sent_id = 1", "1-2\tIm\t_\t_\t_\t_\t_\t_\t_\t_", "1\tIn\tin\tADP\tAPPR\t_\t2\tcase\t_\t_",
            "2\tdem\tder\tDET\tART\t_\t0\troot\t_\t_", "2.1\tx\tx\tX\tX\t_\t_\t_\t_\t_", ""]
    assert sentences(read(tmp_path / "a.conllu", "\n".join(rows))) == [("In dem", "ADP DET")]
    assert sentences(read(tmp_path / "a.conllu", "\n".join(rows), Reading(tag_column="7"))) == [("In dem", "case root")]


def test_words_without_tags(tmp_path):
    found = read(tmp_path / "test.txt", "北\n京\n\n好\n")
    assert [(example.words, example.tags) for example in found] == [(("北", "京"), None), (("好",), None)]


def test_word_positions(tmp_path):
    text = "科0\tO\n技1\tO\n\n屏0\tO\n210\tO\n\ufffd\ufffd0\tO\n"
    weibo = "".join(f"{c}{i}\tO\n" for i, c in enumerate("这是一个很长的句子呢好")) + "\n" * 2
    found = read(tmp_path / "a.bio", weibo * 20 + text)
    assert found[-1].words == ("屏", "2", "\ufffd\ufffd") and "".join(found[0].words) == "这是一个很长的句子呢好"
    assert read(tmp_path / "a.bio", "科0\tO\n技\tO\n")[0].words == ("科0", "技")
    assert read(tmp_path / "a.bio", "A4\tO\nB5\tO\n")[0].words == ("A4", "B5")  # English words of that shape
    assert read(tmp_path / "a.bio", "A4\tO\nB5\tO\n", Reading(strip_segmentation="yes"))[0].words == ("A", "B")


def test_bad_lines(tmp_path):
    text = "北 B-LOC\n京\n\n好 O\n\n一 O O\n\n"
    with pytest.raises(ValueError, match=r"a.bio:2: found 1 columns in '京', expected 2 columns, a word and its tag among "
                                         r"them; correct the line \(a blank one ends a sentence\)"):
        read(tmp_path / "a.bio", text)
    report = Report()
    found = read(tmp_path / "a.bio", text, Reading(skip_bad_rows=True), report=report)
    assert sentences(found) == [("好", "O")] and (report.rows, report.skipped) == (1, 2)
    with pytest.raises(ValueError, match="a.bio:2: found no tag in '京 ', expected 2 columns"):
        read(tmp_path / "a.bio", "北\tO\n京\t\n")


def test_sentences_in_json_and_csv(tmp_path):
    path = tmp_path / "a.jsonl"
    found = read(path, '{"tokens": ["北", "京"], "ner_tags": ["B", "I"], "id": 3}\n{"tokens": [], "ner_tags": []}\n')
    assert found[0] == TaggedExample(("北", "京"), ("B", "I"), "3", f"{path}:1") and found[1].words == ()
    assert sentences(read(tmp_path / "a.csv", "text,labels\nthe cat,O B-X\n")) == [("the cat", "O B-X")]
    with pytest.raises(ValueError, match=r"a.jsonl:1: found 2 words and 1 tags, expected a tag for each word"):
        read(path, '{"words": ["a", "b"], "tags": ["O"]}\n')
    with pytest.raises(ValueError, match="no column of words; its columns are body; give --text-column"):
        read(path, '{"body": ["a", "b"]}\n')


def test_parallel_words_and_tags(tmp_path):
    (tmp_path / "seq.in").write_text("play it\nstop\n")
    (tmp_path / "seq.out").write_text("O B-x\nO\n")
    found = read_examples(f"{tmp_path / 'seq.in'},{tmp_path / 'seq.out'}", "tagging")
    assert sentences(found) == [("play it", "O B-x"), ("stop", "O")]


def test_python(tmp_path):
    found = read_examples([(["北", "京"], ["B", "I"]), ("a b", "O O")], "tagging")
    assert sentences(found) == [("北 京", "B I"), ("a b", "O O")]
    assert read_examples([{"words": ["a"]}], "tagging")[0].tags is None
    example = TaggedExample(("a",), ("O",))
    assert read_examples(iter([example]), "tagging") == [TaggedExample(("a",), ("O",), "", "example 0")]
