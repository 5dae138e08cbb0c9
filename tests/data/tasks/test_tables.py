import gzip

import pytest

from tfplm.data.tasks.examples import TextExample
from tfplm.data.tasks.read import read_examples
from tfplm.data.tasks.reading import Reading, Report


def write(path, text, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return path


def read(path, text, reading=None, **more):
    return read_examples(write(path, text), "text", reading, **more)


def triples(examples):
    return [(example.text, example.pair, example.label) for example in examples]


def test_tsv_keeps_quotes_and_csv_removes_them(tmp_path):
    raw = read(tmp_path / "a.tsv", 'text\tlabel\n"好\t1\n他说"好"\t0\n')
    assert triples(raw) == [('"好', None, "1"), ('他说"好"', None, "0")]
    csv = 'label,text\n1,"一行,\n两行"\n0,"他说""好"""\n1,x\n'
    examples = read(tmp_path / "a.csv", csv)
    assert triples(examples) == [("一行,\n两行", None, "1"), ('他说"好"', None, "0"), ("x", None, "1")]
    assert [example.origin.rpartition(":")[2] for example in examples] == ["2", "4", "5"]
    raw = read(tmp_path / "b.csv", 'text,label\n"a,1\nb",0\n', Reading(quoting="none"))
    assert [example.text for example in raw] == ['"a', 'b"']
    quoted = read(tmp_path / "b.tsv", 'text\tlabel\n"a\tb"\t1\n', Reading(quoting="csv"))
    assert quoted[0].text == "a\tb"


def test_crlf_bom_gzip_and_other_encodings(tmp_path):
    text = "text\tlabel\n好电影\tpos\n坏电影\tneg\n"
    expected = [("好电影", None, "pos"), ("坏电影", None, "neg")]
    for index, content in enumerate([text.replace("\n", "\r\n"), "\ufeff" + text, gzip.compress(text.encode())]):
        assert triples(read(tmp_path / f"{index}.tsv", content)) == expected
    gbk = write(tmp_path / "gbk.tsv", text * 5, "gb18030")
    with pytest.raises(ValueError, match="it looks like GBK: give --encoding gb18030"):
        read_examples(gbk, "text")
    assert triples(read_examples(gbk, "text", Reading(encoding="gb18030")))[:2] == expected


@pytest.mark.parametrize("ending, separator", [("csv", ";"), ("csv", ","), ("txt", "\t"), ("csv", "\t"), ("txt", ",")])
def test_delimiter_is_detected(tmp_path, ending, separator):
    rows = [["text", "label"], ["a b", "x"], ["c d", "y"]]
    text = "\n".join(separator.join(row) for row in rows)
    assert triples(read(tmp_path / f"a.{ending}", text)) == [("a b", None, "x"), ("c d", None, "y")]


def test_other_delimiters(tmp_path):
    assert triples(read(tmp_path / "a.txt", "1|x\n0|y\n", Reading(delimiter="|")))[0] == ("x", None, "1")
    assert triples(read(tmp_path / "b.csv", "a,b\t1\nc,d\t0\n", Reading(delimiter="tab")))[0] == ("a,b", None, "1")
    with pytest.raises(ValueError, match="--delimiter '::': expected one character, or tab"):
        read(tmp_path / "c.txt", "a::b\n", Reading(delimiter="::"))


# the first lines of GLUE's own files
GLUE = {
    "CoLA": ("".join(f"gj04\t{i % 2}\t{'*' * (1 - i % 2)}\tOur friend {i} won't.\n" for i in range(1, 40)),
             "Our friend 1 won't.", None, "1"),
    "CoLA-test": ("index\tsentence\n0\tBill whistled past.\n", "Bill whistled past.", None, None),
    "SST-2": ("sentence\tlabel\nhide new secretions \t0\n", "hide new secretions", None, "0"),
    "SST-2-test": ("index\tsentence\n0\tuneasy mishmash .\n1\tb c\n", "uneasy mishmash .", None, None),
    "MRPC": ("\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t70\t71\tAmrozi accused\tReferring to him\n",
             "Amrozi accused", "Referring to him", "1"),
    "QQP": ("id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n13\t2\t3\tHow is it?\tWhy \"is\" it?\t0\n", "How is it?",
            'Why "is" it?', "0"),
    "QQP-test": ("id\tquestion1\tquestion2\n0\tWould it?\tCould it?\n", "Would it?", "Could it?", None),
    "MNLI": ("index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\t"
             "sentence2_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
             "0\t31193\t31193n\tgovernment\t( a )\t( b )\t(R a)\t(R b)\tOne a.\tTwo b.\tneutral\tentailment\n",
             "One a.", "Two b.", "entailment"),
    "QNLI": ("index\tquestion\tsentence\tlabel\n0\tWhen did it?\tIn 1817.\tnot_entailment\n", "When did it?", "In 1817.",
             "not_entailment"),
    "RTE": ("index\tsentence1\tsentence2\tlabel\n0\tNo weapons.\tWeapons.\tnot_entailment\n", "No weapons.", "Weapons.",
            "not_entailment"),
    "RTE-test": ("index\tsentence1\tsentence2\n0\tMangla was.\tMangla.\n", "Mangla was.", "Mangla.", None),
    "WNLI": ("index\tsentence1\tsentence2\tlabel\n0\tI stuck a pin.\tIt had a hole.\t1\n", "I stuck a pin.",
             "It had a hole.", "1"),
    "XNLI": ("premise\thypo\tlabel\n他说\t她 说\tcontradictory\n", "他说", None, "contradictory"),
    "LCQMC": ("text_a\ttext_b\tlabel\n喜欢打篮球\t爱打篮球\t1\n", "喜欢打篮球", "爱打篮球", "1"),
    "ChnSentiCorp": ("label\ttext_a\n1\t选择珠江花园\n", "选择珠江花园", None, "1"),
    "weibo": (",label,review\n0,1,更博了\n1,0,没有\n", "更博了", None, "1"),
}


@pytest.mark.parametrize("name", GLUE)
def test_published_layouts(tmp_path, name):
    text, *expected = GLUE[name]
    ending = "csv" if name == "weibo" else "tsv"
    reading = Reading(text_column="premise", label_column="label") if name == "XNLI" else None
    assert triples(read(tmp_path / f"train.{ending}", text, reading))[0] == tuple(expected)


def test_columns_without_header(tmp_path):
    def first(text, reading=None):
        return triples(read(tmp_path / "a.tsv", text, reading))[0]

    assert first("好看\tpos\n难看\tneg\n") == ("好看", None, "pos")
    assert first("pos\t这部电影真的非常好看\nneg\t难看的电影不要看了吧\n") == ("这部电影真的非常好看", None, "pos")
    pairs = "喜欢打篮球的男生\t爱打篮球的男生\n大家觉得她好看吗\t大家觉得跑男好看吗\n"
    assert first(pairs) == ("喜欢打篮球的男生", "爱打篮球的男生", None)
    assert first("0\t你好吗\t你好不好\t1\n1\t再见\t不再见\t0\n2\t在哪\t去哪\t0\n") == ("你好吗", "你好不好", "1")
    assert first("只有文本\n第二行\n") == ("只有文本", None, None)
    assert first("a b\tc d\t3.5\ne f\tg h\t0.25\n", Reading(label_kind="number")) == ("a b", "c d", 3.5)
    assert first("a b\t1\nc d\t0\n", Reading(text_column="0", label_column="1")) == ("a b", None, "1")
    assert first("utterance\tintent\nplay it\tmusic\n") == ("play it", None, "music")
    assert first("zeile\tklasse\nplay it\t3\nstop it\t4\n") == ("play it", None, "3")  # words above a column of numbers
    assert first("title\tlabel\nx y\tz\n", Reading(header="no"))[0] == "title"
    with pytest.raises(ValueError, match=r"cannot tell which column is the text; its columns are 0 \('a one'\), 1"):
        first("a one\tb two\tc three\td four\ne one\tf two\tg three\th four\n")


def test_named_columns(tmp_path):
    path = write(tmp_path / "a.tsv", "num\tone\ttwo\tk\n7\ta b\tc d\tX\n")
    reading = Reading(text_column="two", pair_column="1", label_column="k", id_column="num", header="yes")
    assert read_examples(path, "text", reading) == [TextExample("c d", "a b", "X", "7", f"{path}:2")]
    there = r"no column 'body' \(--text-column\); its columns are 0 'num', 1 'one', 2 'two', 3 'k'"
    with pytest.raises(ValueError, match=there):
        read_examples(path, "text", Reading(text_column="body", header="yes"))
    with pytest.raises(ValueError, match="no column '9'"):
        read_examples(path, "text", Reading(text_column="9", header="yes"))


def test_several_labels_and_numbers(tmp_path):
    multi = Reading(label_kind="multi")
    found = read(tmp_path / "a.tsv", "text\tlabels\n甲\ta|b\n乙\t\n丙\tb\n", multi)
    assert [example.label for example in found] == [("a", "b"), (), ("b",)]
    found = read(tmp_path / "a.csv", 'text,labels\n甲,"x, y"\n', multi)
    assert found[0].label == ("x", "y")
    found = read(tmp_path / "b.tsv", "text\tlabels\n甲\ta/b\n", Reading(label_kind="multi", label_separator="/"))
    assert found[0].label == ("a", "b")
    toxic = "id,comment_text,toxic,threat\nq,hello you,0,1\nr,bye,0,0\n"
    found = read(tmp_path / "c.csv", toxic, Reading(label_kind="multi", label_column="toxic,threat"))
    assert [(e.id, e.text, e.label) for e in found] == [("q", "hello you", ("threat",)), ("r", "bye", ())]
    with pytest.raises(ValueError, match=r"c.csv:2: found '2' in column 'toxic', expected 0 or 1"):
        read(tmp_path / "c.csv", toxic.replace(",0,1", ",2,1"), Reading(label_kind="multi", label_column="toxic,threat"))
    with pytest.raises(ValueError, match=r"a.tsv:3: found 'gut' in column 'score', expected a number; correct the row"):
        read(tmp_path / "a.tsv", "text\tscore\n甲\t2\n乙\tgut\n", Reading(label_kind="number"))
    with pytest.raises(ValueError, match="found 'nan'"):
        read(tmp_path / "a.tsv", "text\tscore\n甲\tnan\n", Reading(label_kind="number"))


BAD = "text\tlabel\n好\t1\n坏\n\t\n甲\t乙\t丙\n没有标签\t\n\n空\t0\n"


def test_bad_rows(tmp_path):
    path = write(tmp_path / "a.tsv", BAD)
    with pytest.raises(ValueError, match=r"a.tsv:3: found 1 columns in '坏', expected 2; .*--skip-bad-rows"):
        read_examples(path, "text")
    report = Report()
    found = read_examples(path, "text", Reading(skip_bad_rows=True), report=report)
    assert [example.text for example in found] == ["好", "空"] and (report.rows, report.skipped) == (2, 5)
    lines = sorted(int(reason.split(":")[1]) for reason in report.reasons)
    assert lines == [3, 4, 5, 6, 7]
    with pytest.raises(ValueError, match=r"a.tsv:2: found no label, expected a label in column 'label'"):
        read(tmp_path / "a.tsv", "text\tlabel\n甲\t\n乙\t1\n")
    with pytest.raises(ValueError, match=r"found gold label '-': the annotators did not agree"):
        read(tmp_path / "a.tsv", "sentence1\tsentence2\tgold_label\na\tb\t-\n")
    with pytest.raises(ValueError, match=r"no text example could be read: all 1 rows are bad; the first: .*a.tsv:2"):
        read(tmp_path / "a.tsv", "text\tlabel\n甲\t\n", Reading(skip_bad_rows=True))
    with pytest.raises(ValueError, match=r"b.csv:3: found a broken quoted cell \(unexpected end of data\)"):
        read(tmp_path / "b.csv", 'text,label\na,1\n"b,0\nc,1\n')


def test_empty_texts_are_rows(tmp_path, caplog):
    report = Report()
    found = read(tmp_path / "a.tsv", "text\tlabel\n\t1\n \t0\n好\t1\n", report=report)
    assert [(example.text, example.label) for example in found] == [("", "1"), ("", "0"), ("好", "1")]
    assert report.empty_texts == 2 and caplog.text.count("2 rows have an empty text") == 1
    assert [e.text for e in read(tmp_path / "b.tsv", "index\tsentence\n0\ta\n1\t\n")] == ["a", ""]
    with pytest.raises(ValueError, match="a.tsv:3: found a row without text and label"):
        read(tmp_path / "a.tsv", "text\tlabel\n好\t1\n\t\n")
    lines = read(tmp_path / "test.txt", "第一行\n\n第三行\n")  # predictions must stay aligned with their lines
    assert [example.text for example in lines] == ["第一行", "", "第三行"]


def test_odd_texts(tmp_path):
    long, odd = "长" * 10_000, "😀👨‍👩‍👧 mixed 文字 \u2028 кириллица \u200f عربي"
    found = read(tmp_path / "a.tsv", f"text\tlabel\n{long}\t1\n{odd}\t0\n")
    assert [example.text for example in found] == [long, odd]
    huge = read(tmp_path / "a.csv", f'text,label\n"{long * 20}",1\n')
    assert len(huge[0].text) == 200_000


@pytest.mark.parametrize("kind", ["text", "tagging", "target"])
def test_empty_files(tmp_path, kind):
    for text in ("", "\n \n\n"):
        with pytest.raises(ValueError, match=r"a.tsv: the file is empty"):
            read_examples(write(tmp_path / "a.tsv", text), kind)
    if kind == "text":
        with pytest.raises(ValueError, match=r"found a header line \(text, label\) and no row below it"):
            read(tmp_path / "a.tsv", "text\tlabel\n")


def test_a_file_with_all_splits(tmp_path):
    path = write(tmp_path / "a.tsv", "split\ttext\tlabel\ntrain\ta\t1\nvalid\tb\t0\nTrain\tc\t0\n")
    assert [example.text for example in read_examples(path, "text")] == ["a", "c"]
    assert [example.text for example in read_examples(path, "text", split="dev")] == ["b"]
    assert len(read_examples(path, "text", split=None)) == 3
    with pytest.raises(ValueError, match="no row of split 'test'; its column 'split' has Train, train, valid"):
        read_examples(path, "text", split="test")
    other = write(tmp_path / "b.tsv", "text\tlabel\tteil\na b\t1\tA\nc d\t0\tB\n")
    assert [e.text for e in read_examples(other, "text", Reading(split_column="teil"), split="B")] == ["c d"]


def test_globs_and_wrong_paths(tmp_path):
    write(tmp_path / "part1.tsv", "text\tlabel\na\t1\n")
    write(tmp_path / "part2.tsv", "text\tlabel\nb\t0\n")
    assert [example.text for example in read_examples(tmp_path / "part*.tsv", "text")] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="the nearest: .*part1.tsv"):
        read_examples(tmp_path / "part.tsv", "text")
    with pytest.raises(ValueError, match="kind 'texts': expected text, tagging, question, choice, target"):
        read_examples(tmp_path / "part1.tsv", "texts")
