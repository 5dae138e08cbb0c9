"""Sentences of words from text files, for models whose units are words."""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from tfplm.data.text.segmenter import jieba_segmenter

Words = Literal["auto", "blanks", "letters", "jieba", "characters"]
_LETTERS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_HAN = re.compile(r"[\u3400-\u9fff]")
_CHARACTER = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]|[^\W_\u3400-\u9fff]+")


def splitter(words: Words, sample: str = "", lowercase: bool = True) -> Callable[[str], Iterable[str]]:
    """A function that splits a text into words.

    Args:
        words: "blanks" (the text is split already), "letters" (runs of letters and digits; the rest is left out), "jieba"
            (Chinese words), "characters" (each Chinese character, and runs of other letters), or "auto", which decides by
            the sample: "jieba" for Chinese, else "letters".
        lowercase: whether the text is lower-cased.
    """
    if words == "auto":
        words = "jieba" if 4 * len(_HAN.findall(sample)) > len(sample) else "letters"
    ways: dict[str, Callable[[str], Iterable[str]]] = {
        "blanks": str.split, "letters": _LETTERS.findall, "characters": _CHARACTER.findall}
    if words == "jieba":
        cut = jieba_segmenter()
        ways["jieba"] = lambda text: [word for word in cut(text) if _CHARACTER.match(word)]
    split = ways[words]
    return (lambda text: split(text.lower())) if lowercase else split


def word_sentences(documents: Iterable[list[str]], words: Words = "auto", lowercase: bool = True) -> Iterator[list[str]]:
    """The sentences of documents as lists of words; empty ones are left out."""
    documents = iter(documents)
    head = list(itertools.islice(documents, 20))
    split = splitter(words, "".join(sentence for document in head for sentence in document)[:20_000], lowercase)
    for document in itertools.chain(head, documents):
        for sentence in document:
            if found := list(split(sentence)):
                yield found
