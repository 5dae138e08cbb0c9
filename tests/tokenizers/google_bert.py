"""The reference for WordPiece: Google's tokenization in plain Python, from the description in its repository."""

import unicodedata

_CJK = [(0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F), (0x2B740, 0x2B81F),
        (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)]


def load_vocab(path) -> dict[str, int]:
    """Reads one token per line, stripped, as `load_vocab` of google-research/bert."""
    with open(path, encoding="utf-8", newline="\n") as file:
        return {line.strip(): index for index, line in enumerate(file)}


def _punctuation(c: str) -> bool:
    return (c.isascii() and c.isprintable() and not c.isalnum() and c != " ") or unicodedata.category(c)[0] == "P"


def words(text: str, lower_case: bool):
    text = "".join(" " if c in "\t\n\r" or unicodedata.category(c) == "Zs" else c for c in text
                   if c not in "\0\ufffd" and (c in "\t\n\r" or unicodedata.category(c) not in ("Cc", "Cf")))
    text = "".join(f" {c} " if any(low <= ord(c) <= high for low, high in _CJK) else c for c in text)
    for word in text.split():
        if lower_case:
            word = "".join(c for c in unicodedata.normalize("NFD", word.lower()) if unicodedata.category(c) != "Mn")
        piece = ""
        for c in word:
            if _punctuation(c):
                yield from filter(None, (piece, c))
                piece = ""
            else:
                piece += c
        if piece:
            yield piece


def tokenize(text: str, vocab: dict[str, int], lower_case: bool) -> list[str]:
    """Greedy longest match within every word; [UNK] for a word that the pieces do not cover, or of more than 200 letters."""
    tokens = []
    for word in words(text, lower_case):
        pieces, start = ["[UNK]"] if len(word) > 200 else [], 0
        while start < len(word) <= 200:
            end = next((end for end in range(len(word), start, -1)
                        if ("##" if start else "") + word[start:end] in vocab), None)
            if end is None:
                pieces = ["[UNK]"]
                break
            pieces.append(("##" if start else "") + word[start:end])
            start = end
        tokens += pieces
    return tokens
