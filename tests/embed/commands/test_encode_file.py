"""Encoding of text files: order, resuming, Parquet, several processes, the verb."""

import gzip
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import tfplm.embed.commands.encode_file as module
from tests.embed.encoder.encoder_cases import TEXTS
from tfplm.embed.commands.encode_file import encode_file, run
from tfplm.embed.commands.vector_files import NpyWriter
from tfplm.embed.encoder.recipe import Recipe
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.whitening import Whitening
from tfplm.options.encode import EncodeOptions

LINES = [text.replace("\n", " ") for text in TEXTS] * 3 + ["我们 " * 12]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return path


def test_vector_i_is_line_i(made, file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 7)
    output = encode_file(made, file, tmp_path / "v.npy", show_progress=False)
    vectors = np.load(output, mmap_mode="r")
    assert vectors.dtype == np.float32 and isinstance(vectors, np.memmap)
    np.testing.assert_allclose(vectors, made.encode(LINES), atol=2e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["texts.txt", "v.npy"]


def test_several_files_gzip_and_keywords(made, file, tmp_path):
    with gzip.open(tmp_path / "more.gz", "wt", encoding="utf-8") as more:
        more.write("a dog\n天气好")
    output = encode_file(made, [file, tmp_path / "more.gz"], tmp_path / "v.npy", normalize=True, prompt="query: ")
    np.testing.assert_allclose(np.load(output), made.encode([*LINES, "a dog", "天气好"], normalize=True, prompt="query: "),
                               atol=2e-6)


def test_pairs(made, tmp_path):
    (tmp_path / "p.txt").write_text("a dog\tthe cat\n我们 ||| 公园\n", encoding="utf-8")
    output = encode_file(made, tmp_path / "p.txt", tmp_path / "v.npy", pairs=True)
    np.testing.assert_allclose(np.load(output), made.encode([("a dog", "the cat"), ("我们", "公园")]), atol=2e-6)
    (tmp_path / "q.txt").write_text("a dog\n", encoding="utf-8")
    with pytest.raises(ValueError, match="q.txt:1: no tab and no"):
        encode_file(made, tmp_path / "q.txt", tmp_path / "w.npy", pairs=True)


def killed_after(made, monkeypatch, chunks: int):
    """Makes `encode` fail after `chunks` chunks, like a kill; returns the list of chunk sizes."""
    encode, calls = type(made).encode, []

    def counting(self, texts, *arguments, **keywords):
        if not isinstance(texts, str):
            calls.append(len(texts))
            if len(calls) > chunks:
                raise KeyboardInterrupt
        return encode(self, texts, *arguments, **keywords)

    monkeypatch.setattr(type(made), "encode", counting)
    return calls


def test_a_killed_run_resumes(made, file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 8)
    with monkeypatch.context() as patch:
        killed_after(made, patch, 2)
        with pytest.raises(KeyboardInterrupt):
            encode_file(made, file, tmp_path / "v.npy")
    assert not (tmp_path / "v.npy").exists()
    with open(tmp_path / "v.npy.partial", "ab") as partial:
        partial.write(b"half of a vector")
    with monkeypatch.context() as patch:
        calls = killed_after(made, patch, 99)
        encode_file(made, file, tmp_path / "v.npy")
    assert sum(calls) == len(LINES) - 16
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), made.encode(LINES), atol=2e-6)


@pytest.mark.parametrize("change", ["file", "keywords", "encoder", "max_length", "state"])
def test_a_different_run_starts_over(change, made, file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 8)
    with monkeypatch.context() as patch:
        killed_after(made, patch, 1)
        with pytest.raises(KeyboardInterrupt):
            encode_file(made, file, tmp_path / "v.npy")
    keywords, other, lines = {}, made, LINES
    if change == "file":
        lines = ["a dog", *LINES]
        file.write_text("\n".join(lines), encoding="utf-8")
    elif change == "keywords":
        keywords = {"normalize": True}
    elif change == "encoder":
        other = SentenceEncoder(made.model, made.tokenizer, "REDUCE_MAX")
    elif change == "max_length":  # longer than the probe that identifies an encoder
        other = made.with_recipe(Recipe(max_length=9))
    else:
        (tmp_path / "v.npy.partial.json").write_text("{", encoding="utf-8")
    encode_file(other, file, tmp_path / "v.npy", **keywords)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), other.encode(lines, **keywords), atol=2e-6)


def test_parquet(made, file, tmp_path, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(module, "_CHUNK", 10)
    table = parquet.read_table(encode_file(made, file, tmp_path / "v.parquet"))
    assert table.column("text").to_pylist() == LINES
    np.testing.assert_allclose(np.stack(table.column("vector").to_numpy()), made.encode(LINES), atol=2e-6)
    with monkeypatch.context() as patch:
        killed_after(made, patch, 1)
        with pytest.raises(KeyboardInterrupt):
            encode_file(made, file, tmp_path / "w.parquet")
    assert not list(tmp_path.glob("w.*"))


def test_the_header_leaves_room(tmp_path):
    writer = NpyWriter(tmp_path / "v.npy", 3)
    for value in range(1100):
        writer.write(np.full((10, 3), value))
    writer.close()
    vectors = np.load(tmp_path / "v.npy")
    assert vectors.shape == (11_000, 3) and vectors[-1, 0] == 1099
    assert os.path.getsize(tmp_path / "v.npy") == 128 + vectors.nbytes


@pytest.mark.parametrize(("output", "texts", "message"), [
    ("v.csv", "a", "written as .npy or .parquet"), ("v.npy", "", "no line of text")])
def test_errors(output, texts, message, made, tmp_path):
    (tmp_path / "t.txt").write_text(texts, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        encode_file(made, tmp_path / "t.txt", tmp_path / output)


def test_token_vectors_are_rejected(made, file, tmp_path):
    with pytest.raises(ValueError, match="pooling NONE gives one vector per token"):
        encode_file(SentenceEncoder(made.model, made.tokenizer, "NONE"), file, tmp_path / "v.npy")


def test_workers_need_a_folder(made, file, tmp_path):
    with pytest.raises(ValueError, match="need an encoder made by SentenceEncoder.from_pretrained"):
        encode_file(made, file, tmp_path / "v.npy", workers=2)


@pytest.mark.slow
def test_several_processes(saved, file, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 4)
    loaded = SentenceEncoder.from_pretrained(saved, pooling="max")
    loaded.whitening = Whitening.fit(loaded.encode(LINES), 4)
    before = dict(os.environ)
    encode_file(loaded, file, tmp_path / "v.npy", workers=2)
    np.testing.assert_allclose(np.load(tmp_path / "v.npy"), loaded.encode(LINES), atol=1e-5)
    assert dict(os.environ) == before
    for weight in loaded.model.weights:
        weight.assign(weight * 1.5)
    with pytest.raises(ValueError, match="weights are no longer those that it was loaded with"):
        encode_file(loaded, file, tmp_path / "w.npy", workers=2)


@pytest.mark.slow
def test_a_script_that_starts_workers_on_import_gets_an_error(saved, file, tmp_path):
    script = tmp_path / "run.py"
    script.write_text("import sys\nimport numpy as np\nfrom tfplm.embed import SentenceEncoder, Whitening\n"
                      "from tfplm.embed.commands.encode_file import encode_file\n"
                      "encoder = SentenceEncoder.from_pretrained(sys.argv[1])\nwidth = encoder.dimension\n"
                      "encoder.whitening = Whitening(np.zeros(width), np.ones((width, 10_000)))  # larger than a pipe\n"
                      "encode_file(encoder, *sys.argv[2:], workers=2)\n")
    run = subprocess.run([sys.executable, str(script), str(saved), str(file), str(tmp_path / "v.npy")],
                         capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 1
    assert "must do so below `if __name__ == '__main__':`" in run.stderr


@pytest.mark.slow
def test_workers_end_with_a_killed_parent(saved, file, tmp_path):
    file.write_text("\n".join(LINES * 2000), encoding="utf-8")
    script = tmp_path / "run.py"
    script.write_text("import sys\nfrom tfplm.embed import SentenceEncoder\n"
                      "from tfplm.embed.commands.encode_file import encode_file\nif __name__ == '__main__':\n"
                      "    encode_file(SentenceEncoder.from_pretrained(sys.argv[1]), *sys.argv[2:], workers=2)\n")
    # standard output stays open as long as any worker lives
    process = subprocess.Popen([sys.executable, str(script), str(saved), str(file), str(tmp_path / "v.npy")],
                               stdout=subprocess.PIPE)
    written = tmp_path / "v.npy.partial"
    while not written.exists() or written.stat().st_size < 10_000:  # more than its header: the workers are at work
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.kill()
    assert process.communicate(timeout=30)[0] == b""


def test_the_verb(saved, file, tmp_path, capsys):
    output = tmp_path / "v.npy"
    run(EncodeOptions(init=str(saved), text=[str(file)], output=str(output), layers=[-1, -2], quiet=True))
    expected = SentenceEncoder.from_pretrained(saved, layers=(-1, -2)).encode(LINES)
    np.testing.assert_allclose(np.load(output), expected, atol=2e-6)
    assert capsys.readouterr().out == ""
    with pytest.raises(FileExistsError, match="was written before"):
        run(EncodeOptions(init="nowhere", text=[str(file)], output=str(output)))
    run(EncodeOptions(init=str(saved), text=[str(file)], output=str(output), overwrite=True))
    assert f"{len(LINES)} vectors of 12 numbers" in capsys.readouterr().out
