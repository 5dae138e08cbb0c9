"""Files of word vectors."""

import pytest

from tfplm.data.text.word_vectors import read_word_vectors


@pytest.mark.parametrize("content", ["the 1 2\ncat 3 4\n", "2 2\nthe 1 2\ncat 3 4", "\ufeffthe 1 2\ncat 3 4\n",
                                     "\ufeff2 2\r\nthe 1 2 \r\ncat 3 4\r\n"], ids=repr)
def test_headers_marks_and_line_ends(tmp_path, content):
    path = tmp_path / "words.vec"
    path.write_bytes(content.encode())
    assert [(word, vector.tolist()) for word, vector in read_word_vectors(path)] == [("the", [1, 2]), ("cat", [3, 4])]
