"""`tfplm index` and `tfplm search` with an encoder that is a running server; what fails leaves the index whole."""

import json

import pytest

pytest.importorskip("zmq", reason="pip install -e '.[serve]'")

from tests.embed.remote.fake_server import serving
from tests.embed.remote.test_remote_encoder import Tokens, free_port
from tests.embed.search.fake_encoder import FakeEncoder
from tfplm.embed.search import index_command, search_command
from tfplm.embed.search.manifest import SearchSettings
from tfplm.embed.search.search_index import SearchIndex

LINES = ["图书馆几点开门？", "怎样办理读者证？", "停车多少钱一小时？", "食堂在哪里？", "一次可以借几本书？"]


@pytest.fixture
def texts(tmp_path):
    path = tmp_path / "titles.txt"
    path.write_text("\n".join(LINES), encoding="utf-8")
    return str(path)


def index(texts, folder, server, **options) -> int:
    url = server if isinstance(server, str) else server.url
    return index_command.run(file=[texts], output=str(folder), encoder=url, kind="exact", quiet=True, **options)


def hits(folder, query, **options) -> list[str]:
    return [hit.text for hit in search_command.run(folder=str(folder), query=query, k=1, quiet=True, **options)]


def test_a_server_in_place_of_a_model(texts, tmp_path, capsys):
    folder = tmp_path / "i"
    with serving(FakeEncoder()) as server:
        assert index(texts, folder, server) == 5
        assert hits(folder, "什么时候开馆", encoder=server.url) == LINES[:1]
        assert hits(folder, "停车费用", trust=True) == LINES[2:3]  # the one that the folder names
        with SearchIndex.open(folder, server.url) as reader:
            assert reader.search("食堂", k=1)[0].text == LINES[3]
        requests = len(server.requests)
        with pytest.raises(PermissionError, match=r"names the server tcp://.*, which would be sent the texts; .*--encoder"):
            hits(folder, "停车")
        assert len(server.requests) == requests
    with SearchIndex.open(folder, FakeEncoder()) as reader:  # the same model without a server
        assert reader.search("食堂", k=1)[0].text == LINES[3]
    with pytest.raises(ConnectionError, match="nobody answers"):
        hits(folder, "停车", trust=True)
    assert json.loads((folder / "manifest.json").read_text())["encoder"]["source"] == server.url


def test_a_server_for_an_index_that_a_model_made(texts, tmp_path):
    folder = tmp_path / "i"
    with SearchIndex.create(folder, FakeEncoder(), SearchSettings("exact")) as made:
        made.add(LINES[:2])
    with serving(FakeEncoder()) as server:
        assert hits(folder, "何时开馆", encoder=server.url) == LINES[:1]
        assert index(texts, folder, server) == 7


@pytest.mark.parametrize(("other", "message"), [
    (FakeEncoder(8), "with vectors of 48 numbers; those of this encoder have 8: use the same encoder, or make a new index"),
    (FakeEncoder(seed=1), "the vectors of this encoder differ .*: use the same model"),
    (Tokens(), "use a pooling other than NONE, which cannot be searched")])
def test_a_server_of_another_model(texts, tmp_path, other, message):
    folder = tmp_path / "i"
    with serving(FakeEncoder()) as server:
        index(texts, folder, server)
    before = sorted((path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file())
    with serving(other) as server:
        with pytest.raises(ValueError, match=message):
            hits(folder, "停车", encoder=server.url)
        with pytest.raises(ValueError, match=message):
            index(texts, folder, server)
    assert sorted((path.name, path.read_bytes()) for path in folder.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("failure", ["ends", "falls silent", "refuses"])
def test_a_server_that_fails_in_the_middle(texts, tmp_path, failure, capsys):
    folder, encoder = tmp_path / "i", FakeEncoder()
    changes = {"ends": {"ends": 4, "falls_silent": 3}, "falls silent": {"falls_silent": 3}, "refuses": {}}[failure]
    with serving(encoder, **changes) as server:  # it has answered "0", the probes and two texts
        if failure == "refuses":
            encode = encoder.encode
            encoder.encode = lambda texts: server.about.update(error="worn out") or encode(texts) \
                if LINES[2] in texts else encode(texts)
        error = {"ends": ConnectionError, "falls silent": TimeoutError, "refuses": RuntimeError}[failure]
        with pytest.raises(error, match="expected"):
            index_command.run(file=[texts], output=str(folder), encoder=server.url, kind="exact", batch=2,
                              encoder_timeout=2 if failure == "falls silent" else 60)
    if failure != "refuses":
        assert "i has 2 records; run the same command again to resume" in capsys.readouterr().out
    with SearchIndex.open(folder, FakeEncoder()) as whole:
        assert len(whole) == 2 and whole.verify() == [] and [record.text for record in whole.records()] == LINES[:2]
    with serving(FakeEncoder()) as server:
        assert index(texts, folder, server) == 5
        assert [text for request in server.requests for text in request if text in LINES] == LINES[2:]


def test_nothing_is_written_without_a_server(texts, tmp_path):
    folder = tmp_path / "i"
    with pytest.raises(ConnectionError, match="nobody answers"):
        index(texts, folder, f"tcp://127.0.0.1:{free_port()}")
    with serving(Tokens()) as server, pytest.raises(ValueError, match="use a pooling other than NONE"):
        index(texts, folder, server)
    with serving(FakeEncoder(), ends=2, falls_silent=1) as server, pytest.raises(ConnectionError, match="has closed"):
        index(texts, folder, server)
    assert not folder.exists()
    with serving(FakeEncoder()) as server:
        index(texts, folder, server)
    for wrong in ({"encoder": f"tcp://127.0.0.1:{free_port()}"}, {"encoder": "http://a:1"}):
        with pytest.raises((ConnectionError, ValueError)):
            index_command.run(file=[texts], output=str(folder), overwrite=True, **wrong)
    assert len(SearchIndex.open(folder, FakeEncoder())) == 5  # the older one is still there


def test_flags_that_are_the_servers(texts, tmp_path):
    with pytest.raises(ValueError, match="--encoder was given with --init, --max-length, but .* are the server's: leave"):
        index(texts, tmp_path / "i", "tcp://127.0.0.1:5555", init="model", max_length=9)
    with serving(FakeEncoder()) as server:
        index(texts, tmp_path / "i", server)
        with pytest.raises(ValueError, match="--encoder and --init were given, expected one of them"):
            hits(tmp_path / "i", "a", encoder=server.url, init="model")


def test_texts_that_the_server_cuts(texts, tmp_path, caplog):
    with serving(FakeEncoder(), config={"max_seq_len": 25}) as server:
        index(texts, tmp_path / "i", server)
    assert "encodes only the first 25 tokens of a text: start it with --max-seq-len NONE" in caplog.text
