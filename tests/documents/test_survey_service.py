"""bert-as-service as the survey prints it (lines 726-950): its programs and commands, taken from the document, against our
server.

The client is the unmodified bert-serving-client 1.10.0; ports, addresses and folders are those of the test.
"""

import ast
import contextlib
import dataclasses
import json
import re
import shlex
import shutil
import socket
import sqlite3
import subprocess
import urllib.request

import keras
import numpy as np
import pytest

pytest.importorskip("bert_serving.client", reason="pip install bert-serving-client==1.10.0")
from bert_serving.client import BertClient

import tfplm
from tests.serve.test_serve_command import Program
from tfplm import cli
from tfplm.data.tasks.read import read_examples
from tfplm.embed import SentenceEncoder
from tfplm.embed.contrastive import contrastive
from tfplm.options.serve import ServeOptions
from tfplm.serve.bert.commands import start_options, terminate
from tfplm.serve.command import make_server

START = {"two workers": (782, 782), "tokens": (808, 811)}  # the commands that start a server
TEXTS = ["hey you", "whats up?", "你好么？", "我 还 可以"]


pytestmark = pytest.mark.filterwarnings("ignore:server does not put", "ignore:the matrix subclass")


class Matrix(np.matrix):
    """`np.mat` of NumPy 1, which NumPy 2 no longer has; its product of a row and a column was a number."""

    def __float__(self) -> float:
        return float(self.item())


@pytest.fixture(autouse=True)
def numpy_1(monkeypatch):
    monkeypatch.setattr(np, "mat", lambda values: np.asarray(values).reshape(1, -1).view(Matrix), raising=False)


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A folder of the layout of Google's releases: 768 numbers for a token, and the real vocabulary; two layers."""
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_chinese_vocab.txt"))
    model = tfplm.from_config("bert-base-chinese", num_hidden_layers=2, intermediate_size=64, max_position_embeddings=64)
    path = tmp_path_factory.mktemp("served") / "english_L-12_H-768_A-12"
    tfplm.save_pretrained(model, path, tokenizer, format="tf1")
    return path


def command(document, name: str, folder) -> list[str]:
    """The words of a printed command, with the test's folder in place of the printed one."""
    first, last = START[name]
    (line,) = (line.strip("> ") for line in document("survey").lines(first, last) if "bert-serving-start" in line)
    words = shlex.split(line)
    assert words[0] == "bert-serving-start"
    return [str(folder) if "L-12_H-768_A-12" in word else word for word in words]


def free(options: ServeOptions, **changes) -> ServeOptions:
    return dataclasses.replace(options, port=0, port_out=0, quiet=True, warm_up=False, **changes)


@pytest.fixture(scope="module")
def server(folder):
    """`bert-serving-start -model_dir FOLDER`, open to other machines, with HTTP as well."""
    options = start_options(["-model_dir", str(folder), "-show_tokens_to_client"])
    with make_server(free(options, host="0.0.0.0", http_port=0)) as running:
        yield running


def adapted(code: str, server, ip: str = "127.0.0.1") -> str:
    """A program whose clients find the server of the test."""
    return re.sub(r"BertClient\((ip='[^']*')?\)",
                  f"BertClient(ip={ip!r}, port={server.port}, port_out={server.port_out}, timeout=60_000)", code)


@contextlib.contextmanager
def run(code: str, server, **names):
    """Runs a program; its names, and `bc`, the client, which is closed at the end."""
    try:
        exec(adapted(code, server, names.pop("ip", "127.0.0.1")), names)
        yield names
    finally:
        if "bc" in names:
            names["bc"].close()


# ---- the folder and the commands, 756-785


def test_the_files_of_a_release_772_775(document, folder):
    named = re.findall(r"（?\(?([\w.]+\.(?:ckpt|txt|json))", document("survey").text(772, 775))
    assert named == ["bert_model.ckpt", "vocab.txt", "bert_config.json"]
    assert {re.sub(r"(\.ckpt).*", r"\1", path.name) for path in folder.iterdir()} >= set(named)


def test_the_command_lines_782_811(document, folder):
    options = start_options(command(document, "two workers", folder)[1:])
    assert (options.source, options.num_worker, options.max_seq_len) == (str(folder), 2, 25)
    options = start_options(command(document, "tokens", folder)[1:])
    assert (options.source, options.num_worker, options.pooling_strategy) == (str(folder), 1, "NONE")


@pytest.mark.slow
def test_two_workers_782(document, folder):
    words = [*command(document, "two workers", folder)[1:], "-port", "0", "-port_out", "0"]
    code = f"from tfplm.serve.bert.commands import start\nif __name__ == '__main__':\n    start({words!r})"
    with Program(code) as running, running.client() as bert:
        assert bert.server_status["tfplm"]["workers_alive"] == 2 and bert.encode(TEXTS).shape == (4, 768)
        assert terminate(["-port", str(running.ports["port"])]) == 0 and running.wait() == 0


# ---- vectors of texts, 789-838


def test_vectors_of_texts_791_802(document, server, folder):
    survey = document("survey")
    local = SentenceEncoder.from_pretrained(folder, layers=-2, max_length=25)
    with run(survey.code(791, 795), server) as names:
        texts = ast.literal_eval(re.search(r"encode\((.*)\)", survey.text(791, 795))[1])
        assert names["doc_vecs"].shape == (3, 768) and isinstance(names["doc_vecs"], np.ndarray)
        np.testing.assert_allclose(names["doc_vecs"], local.encode(texts), atol=1e-5)
        pair = eval(survey.code(800, 802), names)
        np.testing.assert_allclose(pair, local.encode([("First do it", "then do it right")]), atol=1e-5)


def test_a_server_of_another_machine_832_838(document, server):
    """By an address that is not the local default, at a server that is open to others."""
    address = socket.gethostbyname(socket.gethostname())
    with run(document("survey").code(832, 838), server, ip=address) as names:
        assert names["bc"].ip == address and names["bc"].encode(TEXTS).shape == (4, 768)


# ---- vectors of tokens, 806-827


def test_vectors_of_tokens_806_827(document, folder):
    survey = document("survey")
    options = start_options(command(document, "tokens", folder)[1:])
    program = survey.code(814, 827)
    with make_server(free(options)) as server:
        with pytest.raises(IndexError, match="25 is out of bounds"), run(program, server, BertClient=BertClient):
            pass  # the last printed line asks for a token too many
        with run(program[:program.rindex("vec[")], server, BertClient=BertClient) as names:
            vectors = names["vec"]
            shapes = re.findall(r"^(vec\S*) +# \[([\d, ]+)\]", program, re.M)
            assert len(shapes) == 7 and vectors.shape == (2, 25, 768)
            for expression, shape in shapes:
                assert np.size(eval(expression, names)) == np.prod([int(size) for size in shape.split(",")]), expression
    expected = SentenceEncoder.from_pretrained(folder, "NONE", -2).encode(["hey you", "whats up?"])
    lengths = [4, 6]  # [CLS] hey you [SEP], and [CLS] what ##s up ? [SEP]
    for vector, row, length in zip(vectors, expected, lengths):
        np.testing.assert_allclose(vector[:length], row[:length], atol=1e-5)
        assert not vector[length:].any() and vector[:length].any(1).all()  # zero at padding


# ---- HTTP, 895-912


def test_http_896_912(document, server):
    survey = document("survey")
    code = survey.code(896, 900).replace("\\\n", " ").replace("xx.xx.xx.xx:8125", f"127.0.0.1:{server.http_port}")
    words = shlex.split(code)
    assert words[0] == "curl"
    if shutil.which("curl"):
        answer = json.loads(subprocess.run([*words, "-s"], check=True, capture_output=True).stdout)
    else:
        url, header, body = words[3], words[words.index("-H") + 1], words[words.index("-d") + 1]
        with urllib.request.urlopen(urllib.request.Request(url, body.encode(), dict([header.split(": ")]))) as reply:
            answer = json.load(reply)
    printed = re.findall(r'"(\w+)":', survey.code(906, 912))
    assert printed == ["id", "results", "status"] and set(printed) <= set(answer)
    assert answer["id"] == 123 and answer["status"] == 200
    with run("bc = BertClient()", server, BertClient=BertClient) as names:
        np.testing.assert_allclose(answer["results"], names["bc"].encode(["hello world"]), atol=1e-6)


# ---- what is printed of tokens, 914-950


def printed_rows(document, name: str) -> list[list[str]]:
    return [line.split(": ", 1)[1].split() for line in document("survey").lines(927, 943) if line.startswith(f"{name}: ")]


def test_the_printed_tokens_922_943(document, server):
    survey = document("survey")
    with run("bc = BertClient()", server, BertClient=BertClient) as names:
        call = survey.code(922, 924).strip()
        texts = ast.literal_eval(re.fullmatch(r"bc\.encode\((.*)\)", call)[1])
        vectors, tokens = eval(call.replace("])", "], show_tokens=True)"), names)
    assert tokens == printed_rows(document, "tokens") and vectors.shape == (len(texts), 768)
    rows = server.engines[0].rows(texts)
    for row, ids, mask in zip(rows, printed_rows(document, "input_ids"), printed_rows(document, "input_mask"), strict=True):
        rest = 25 - len(row)
        assert [*row.input_ids.tolist(), *[0] * rest] == list(map(int, ids))
        assert [1] * len(row) + [0] * rest == list(map(int, mask))


def test_the_printed_pieces_947_950(document, data, tmp_path):
    """The longest pieces first, of a vocabulary that has the printed ones; that of bert-base-uncased has longer ones."""
    names = {}
    exec(document("survey").code(947, 950), names)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "u", "##n", "##a"]
    (tmp_path / "vocab.txt").write_text("\n".join([*special, *names["tokenizer_output"]]), encoding="utf-8")
    assert tfplm.Tokenizer.from_vocab(tmp_path / "vocab.txt").tokenize(names["input"]) == names["tokenizer_output"]
    real = tfplm.Tokenizer.from_vocab(data("vocabs", "bert_base_uncased_vocab.txt"))
    pieces = real.tokenize(names["input"])
    assert "".join(piece.removeprefix("##") for piece in pieces) == names["input"] and len(pieces[0]) > len("un")


# ---- the most similar question, 841-893, and the pipeline, 726-734


@pytest.fixture(scope="module")
def chinese(data, tmp_path_factory):
    """A small Chinese model trained here, from nothing, on pairs of sentences with scores (CoSENT on STS-B)."""
    work = tmp_path_factory.mktemp("chinese")
    keras.utils.set_random_seed(0)
    tokenizer = tfplm.Tokenizer.from_vocab(data("vocabs", "clue_zh_8k_vocab.txt"))
    model = tfplm.from_config("bert-base-chinese", vocab_size=len(tokenizer), hidden_size=192, num_hidden_layers=2,
                              num_attention_heads=6, intermediate_size=768, max_position_embeddings=128)
    tfplm.save_pretrained(model, work / "new", tokenizer)
    pairs = str(data("stsb_zh"))
    result = contrastive(data=[pairs], init=str(work / "new"), loss="cosent", dev=pairs, learning_rate=1e-3, dropout=0.1,
                         max_length=32, evaluate_every=10**6, output=str(work / "model"), log_dir=str(work / "logs"),
                         summary_every=0, quiet=True)
    assert result.spearman > max(62, result.before + 8)  # before: 53, the characters that texts share
    return work / "model"


@pytest.fixture(scope="module")
def questions(chinese):
    """Its server."""
    options = start_options(["-model_dir", str(chinese), "-max_seq_len", "NONE", "-pooling_layer", "-1"])
    with make_server(free(options)) as running:
        yield running


@pytest.mark.slow
def test_the_most_similar_question_841_893(document, questions, capsys, data):
    survey = document("survey")
    program = survey.code(841, 893)
    (printed,) = re.findall(r"^    # (\S+)$", program, re.M)[-1:]
    exec(adapted(program, questions), {"__name__": "__main__"})
    assert capsys.readouterr().out.split() == ["最相似的句子：", printed]
    # its class, asked about others: the right one of four questions, of customers of a bank
    names = {"__name__": "others"}
    exec(adapted(program, questions), names)
    asker = names["SimilarModel"]()
    rng, right = np.random.default_rng(0), 0
    pairs = [pair for pair in read_examples(data("afqmc") / "dev.txt", "text") if pair.label == "1"][:40]
    for number, pair in enumerate(pairs):
        others = [pairs[other].pair for other in rng.choice(np.delete(np.arange(40), number), 3, replace=False)]
        own = asker.get_sentence_vec(pair.text)
        cosines = [asker.cos_similar(own, asker.get_sentence_vec(text)) for text in [pair.pair, *others]]
        right += int(np.argmax(cosines) == 0)
    asker.close_bert()
    assert right >= 30  # of 40, where chance gives 10


@pytest.mark.slow
def test_the_pipeline_726_734(document, questions, data, tmp_path, capsys):
    """A server encodes titles, Faiss keeps the vectors, SQLite the texts by their ids, and a question returns titles."""
    pytest.importorskip("faiss")
    survey = document("survey")
    assert all(word in survey.text(726, 734) for word in ("bert-serving", "Faiss", "SQLite", "ID"))
    program = survey.code(841, 893)
    (titles,) = re.findall(r"condinates = (\[.*\])", program)
    (question,) = re.findall(r"sentence_a = '(.*)'", program)
    (printed,) = re.findall(r"^    # (\S+)$", program, re.M)[-1:]
    others = [line.split("\t")[0] for line in (data("thucnews") / "test.txt").read_text(encoding="utf-8").split("\n")[:500]]
    (tmp_path / "titles.txt").write_text("\n".join([*others, *ast.literal_eval(titles)]), encoding="utf-8")
    url = f"tcp://127.0.0.1:{questions.port}?port_out={questions.port_out}"
    words = ["index", str(tmp_path / "titles.txt"), "-o", str(tmp_path / "i"), "--encoder", url, "--kind", "IVF8,Flat",
             "--nprobe", "8"]
    assert cli.main(words) == 0 and "index IVF8,Flat" in capsys.readouterr().out
    assert cli.main(["search", str(tmp_path / "i"), question, "-k", "2", "--json", "--encoder", url]) == 0
    first, second = json.loads(capsys.readouterr().out)["hits"]
    assert first["text"] == printed and second["text"] in ast.literal_eval(titles)
    with contextlib.closing(sqlite3.connect(tmp_path / "i" / "records.sqlite")) as records:
        assert records.execute("select text from tfplm where id = ?", [first["id"]]).fetchall() == [(printed,)]
