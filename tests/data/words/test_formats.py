"""Files of word vectors, in and out."""

import gzip
import struct

import numpy as np
import pytest

import tfplm
from tfplm.data.words.opening import FORMATS
from tfplm.data.words.subwords import Subwords, hash_of, ngrams

WORDS = ["苹果", "of", "naïve", "a\u00a0b", "！", "x" * 40]


def some_vectors(count: int = len(WORDS), size: int = 7) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, size)).astype(np.float32)


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_written_is_read_with_equal_numbers(form, tmp_path):
    vectors = some_vectors()
    vectors[0, :3] = [0, 1e-30, -3.4e38]
    tfplm.WordVectors(WORDS, vectors).save(tmp_path / "v", form)
    again = tfplm.WordVectors.load(tmp_path / "v")
    assert again.index_to_key == WORDS
    np.testing.assert_array_equal(again.vectors, vectors)
    few = tfplm.WordVectors.load(tmp_path / "v", limit=2)
    assert few.index_to_key == WORDS[:2]
    np.testing.assert_array_equal(few.vectors, vectors[:2])
    some = tfplm.WordVectors.load(tmp_path / "v", only=["！", "of", "nowhere"])
    assert some.index_to_key == ["of", "！"]
    np.testing.assert_array_equal(some.vectors, vectors[[1, 4]])


@pytest.mark.parametrize("content", ["the 1 2\ncat 3 4\n", "2 2\nthe 1 2\ncat 3 4", "\ufeffthe 1 2\ncat 3 4\n",
                                     "\ufeff2 2\r\nthe 1 2 \r\ncat 3 4\r\n"], ids=repr)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_headers_marks_line_ends_and_gzip(content, pack, tmp_path):
    (tmp_path / "words.vec").write_bytes(pack(content.encode()))
    words = tfplm.WordVectors.load(tmp_path / "words.vec")
    assert words.index_to_key == ["the", "cat"]
    assert words.vectors.tolist() == [[1, 2], [3, 4]]


def test_a_text_file_of_several_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr("tfplm.data.words.text_format._CHUNK", 100)
    vectors = some_vectors(50)
    tfplm.WordVectors([f"词{n}" for n in range(50)], vectors).save(tmp_path / "v.txt", "glove")
    np.testing.assert_array_equal(tfplm.WordVectors.load(tmp_path / "v.txt").vectors, vectors)
    assert len(tfplm.WordVectors.load(tmp_path / "v.txt", limit=13)) == 13


def test_the_original_binary_files_have_line_ends_after_vectors(tmp_path):
    vectors = some_vectors(3, 2)
    rows = [word.encode() + b" " + vector.tobytes() + b"\n" for word, vector in zip(WORDS, vectors, strict=False)]
    (tmp_path / "v.bin").write_bytes(b"3 2\n" + b"".join(rows))
    words = tfplm.WordVectors.load(tmp_path / "v.bin")
    assert words.index_to_key == WORDS[:3]
    np.testing.assert_array_equal(words.vectors, vectors)


def test_a_folder_is_written_again_but_not_one_with_other_files(tmp_path):
    tfplm.WordVectors(WORDS, some_vectors()).save(tmp_path / "v", "folder")
    tfplm.WordVectors(WORDS[:2], some_vectors(2)).save(tmp_path / "v", "folder")
    assert len(tfplm.WordVectors.load(tmp_path / "v")) == 2
    with pytest.raises(FileExistsError, match="v was written before"):
        tfplm.WordVectors(WORDS, some_vectors()).save(tmp_path / "v", "folder", overwrite=False)
    with pytest.raises(FileExistsError, match="has other files"):
        tfplm.WordVectors(WORDS, some_vectors()).save(tmp_path, "folder")
    (tmp_path / "v" / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError, match=r"has other files as well \(mine.txt\)"):
        tfplm.WordVectors(WORDS, some_vectors()).save(tmp_path / "v", "folder")
    assert len(tfplm.WordVectors.load(tmp_path / "v")) == 2


def test_a_folder_is_mapped_and_not_read(tmp_path):
    tfplm.WordVectors(WORDS, some_vectors()).save(tmp_path / "v", "folder")
    assert isinstance(tfplm.WordVectors.load(tmp_path / "v").vectors, np.memmap)


BINARY = b"2 3\nof " + struct.pack("<3f", 1, 2, 3) + b"the " + struct.pack("<3f", 4, 5, 6)


@pytest.mark.parametrize(("content", "message"), [
    (b"", "v is empty; expected lines of a word and its numbers"),
    (b"word\n", "v:1 is 'word', expected a word and its numbers"),
    (b"5 3\nof 1 2 3\nthe 1 2 3\n", "v has 2 lines of words, expected 5 .* header is wrong"),
    (b"1 3\nof 1 2 3\nthe 1 2 3\n", "v:3 is one line more than the 1 words of the header"),
    (b"2 4\nof 1 2 3\nthe 1 2 3\n", "v:2: 'of' has 3 numbers, expected 4"),
    (b"2 0\nof\nthe\n", "v:1 announces vectors of 0 numbers"),
    (b"of 1 2 3\nthe 1 2\n", "v:2: 'the' has 2 numbers, expected 3 .* truncated"),
    (b"of 1 2 3\nthe 1 x 3\n", "v:2: 'the' has a vector that is not 3 numbers: it has 'x'"),
    (b"of 1 2 3\nnew york 1 2 3\n", "v:2: 'new' has 4 numbers, expected 3 .*words with spaces"),
    (b"of 1 2 3\nthe 1 2 3\nof 4 5 6\n", "v: the words 1 and 3 are both 'of'"),
    (b"of 1 2 3\n\xcf\xe0 1 2 3\n", r"v:2: the word b'\\xcf\\xe0' is not UTF-8"),
    (BINARY[:-2], "v ends after 1 words, expected 2 of 3 numbers"),
    (BINARY.replace(b"2 3", b"9 3"), "v ends after 2 words, expected 9"),
    (BINARY.replace(b"2 3", b"99999999999 3"), "v ends after 2 words"),
    (BINARY.replace(b"of", b"\xcf\xe0"), r"v: word 1, b'\\xcf\\xe0', is not UTF-8"),
    (BINARY.replace(b"the", b"of"), "v: the words 1 and 2 are both 'of'"),
])
def test_damaged_files_are_named_with_line_or_word(content, message, tmp_path):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        tfplm.WordVectors.load(tmp_path / "v")


def test_other_encodings_can_be_read_with_replacement_characters(tmp_path):
    (tmp_path / "v").write_bytes(b"of 1 2 3\n\xcf 1 2 3\n")
    assert tfplm.WordVectors.load(tmp_path / "v", encoding_errors="replace").index_to_key == ["of", "\ufffd"]


@pytest.mark.parametrize("form", ["word2vec", "word2vec_binary", "glove"])
def test_words_with_spaces_are_not_written_to_formats_that_separate_by_spaces(form, tmp_path):
    with pytest.raises(ValueError, match="the word 'new york' is empty, or has a space"):
        tfplm.WordVectors(["of", "new york"], some_vectors(2)).save(tmp_path / "v", form)
    assert not list(tmp_path.iterdir())
    tfplm.WordVectors(["of", "new york"], some_vectors(2)).save(tmp_path / "v", "fasttext")
    assert tfplm.WordVectors.load(tmp_path / "v").index_to_key == ["of", "new york"]


# fastText


def a_model(folder, words=WORDS, buckets: int = 50, shortest: int = 2, longest: int = 4):
    table = np.random.default_rng(1).normal(size=(len(words) + buckets, 5)).astype(np.float32)
    made = tfplm.WordVectors(words, None, Subwords(table, len(words), shortest, longest), np.arange(1, len(words) + 1))
    made.save(folder / "model.bin", "fasttext")
    return table


def test_hash_counts_bytes_above_127_as_negative():
    # 2166136261 ^ 0xFFFFFFE8 (of 0xE8), times 16777619, modulo 2^32
    assert hash_of(b"\xe8") == ((2166136261 ^ 0xFFFFFFE8) * 16777619) % 2**32
    assert hash_of(b"a") == 0xE40C292C  # FNV-1a


def test_ngrams_of_characters_with_boundary_signs():
    assert list(ngrams("苹果", 1, 3)) == ["<苹", "<苹果", "苹", "苹果", "苹果>", "果", "果>"]


def test_vectors_of_a_fasttext_model_are_means_over_ngrams(tmp_path):
    table = a_model(tmp_path)
    words = tfplm.WordVectors.load(tmp_path / "model.bin")
    assert words.counts.tolist() == [1, 2, 3, 4, 5, 6]
    rows = [len(WORDS) + hash_of(one.encode()) % 50 for one in ngrams("苹果", 2, 4)]
    np.testing.assert_allclose(words["苹果"], table[[0, *rows]].mean(0), rtol=1e-6)
    np.testing.assert_array_equal(words.vectors[0], words["苹果"])
    rows = [len(WORDS) + hash_of(one.encode()) % 50 for one in ngrams("苹果酱", 2, 4)]
    assert "苹果酱" in words
    np.testing.assert_allclose(words["苹果酱"], table[rows].mean(0), rtol=1e-6)
    assert words.most_similar("苹果酱", topn=1)[0][0] in WORDS
    few = tfplm.WordVectors.load(tmp_path / "model.bin", limit=2)
    np.testing.assert_array_equal(few["苹果酱"], words["苹果酱"])
    some = tfplm.WordVectors.load(tmp_path / "model.bin", only=["！"])
    np.testing.assert_array_equal(some.vectors, words.vectors[[4]])
    words.save(tmp_path / "again.bin", "fasttext")
    assert (tmp_path / "again.bin").read_bytes() == (tmp_path / "model.bin").read_bytes()


@pytest.mark.parametrize(("change", "message"), [
    (lambda data: data[:30], "model.bin ends within its header"),
    (lambda data: data[:-100], "should hold 56 x 5 numbers, but ends before"),
    (lambda data: data[:4] + struct.pack("<i", 11) + data[8:], "is a fastText model of version 11, expected 12"),
    (lambda data: data[:64] + struct.pack("<i", 2**31 - 1) + data[68:], "announces 2,147,483,647 words, more than fit"),
])
def test_damaged_fasttext_models(change, message, tmp_path):
    a_model(tmp_path)
    data = (tmp_path / "model.bin").read_bytes()
    (tmp_path / "model.bin").write_bytes(change(data))
    with pytest.raises(ValueError, match=message):
        tfplm.WordVectors.load(tmp_path / "model.bin")


def test_a_quantised_model_is_refused(tmp_path):
    a_model(tmp_path, buckets=1)
    data = bytearray((tmp_path / "model.bin").read_bytes())
    table = 17 + 7 * 5 * 4  # the empty output table, then the input table with its sizes
    data[-table - 17] = 1
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(ValueError, match="is a quantised model"):
        tfplm.WordVectors.load(tmp_path / "model.bin")


# Other programs


@pytest.mark.parametrize(("form", "binary", "header"), [("word2vec", False, True), ("word2vec_binary", True, True),
                                                       ("glove", False, False)])
def test_gensim_reads_and_writes_the_same_files(form, binary, header, tmp_path):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    ours = tfplm.WordVectors(WORDS, some_vectors())
    ours.save(tmp_path / "ours", form)
    theirs = keyed.load_word2vec_format(str(tmp_path / "ours"), binary=binary, no_header=not header)
    assert theirs.index_to_key == WORDS
    np.testing.assert_array_equal(theirs.vectors, ours.vectors)
    theirs.save_word2vec_format(str(tmp_path / "theirs"), binary=binary, write_header=header)
    again = tfplm.WordVectors.load(tmp_path / "theirs")
    assert again.index_to_key == WORDS
    np.testing.assert_array_equal(again.vectors, ours.vectors)


def test_gensim_and_fasttext_read_and_write_the_same_models(tmp_path):
    table = a_model(tmp_path)
    ours = tfplm.WordVectors.load(tmp_path / "model.bin")
    gensim = pytest.importorskip("gensim.models.fasttext")
    theirs = gensim.load_facebook_vectors(str(tmp_path / "model.bin"))
    np.testing.assert_allclose(theirs.vectors, ours.vectors, rtol=1e-6)
    np.testing.assert_allclose(theirs["苹果酱"], ours["苹果酱"], rtol=1e-6)
    assert table.shape == (56, 5)
    sentences = [["苹果", "和", "华为"], ["of", "the", "苹果"]] * 20
    model = gensim.FastText(sentences, vector_size=6, min_count=1, bucket=30, epochs=1, seed=1)
    gensim.save_facebook_model(model, str(tmp_path / "theirs.bin"))
    read = tfplm.WordVectors.load(tmp_path / "theirs.bin")
    assert read.index_to_key == model.wv.index_to_key
    np.testing.assert_allclose(read.vectors, model.wv.vectors, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(read["苹果树"], model.wv["苹果树"], rtol=1e-5, atol=1e-7)
