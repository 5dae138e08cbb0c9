"""A rule-based sentence splitter for Chinese and English."""

import re

LONGEST_SENTENCE = 1000  # characters; longer text without punctuation is cut, at a space if possible

_CLOSERS = "\"'”’」』）)】》〕\\]"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# a Chinese mark always ends a sentence; a Latin one only before a space and a possible sentence start, or directly
# before a Chinese character
_BOUNDARY = re.compile(
    rf"[。．！？；…]+[!?。．！？；…]*[{_CLOSERS}]*"
    rf"|[.!?]+[{_CLOSERS}]*(?=\s+[\"'“‘(\[「『（《]*[^\W_])"
    rf"|[!?]+[{_CLOSERS}]*(?=[{_CJK}])")
_ABBREVIATIONS = frozenset((
    "mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "e.g", "i.e", "fig", "figs", "eq", "vol", "inc",
    "ltd", "co", "corp", "dept", "approx", "cf", "al", "gen", "col", "sgt", "capt", "lt", "cmdr", "sen", "rep",
    "gov", "rev", "hon", "mt", "ft", "pp", "ed", "eds", "trans", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sep", "sept", "oct", "nov", "dec"))
_OPENERS = "\"'“‘([「『（《"


def _ends_sentence(text: str, match: re.Match, lower_case: bool) -> bool:
    mark = match.group()
    if mark[0] not in ".!?":
        return True
    following = text[match.end():match.end() + 8].lstrip().lstrip(_OPENERS)[:1]
    if following.islower() and not lower_case:
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    words = text[max(0, match.start() - 24):match.start()].split()
    word = words[-1].lstrip(_OPENERS) if words and not text[match.start() - 1].isspace() else ""
    if len(word) == 1 and word.isalpha() and word != "I":  # an initial: J. R. R. Tolkien
        return False
    if following.isdigit() and word.lower() in ("no", "nos", "p", "art", "sec", "ch"):
        return False
    bare = word.lower()
    return bare not in _ABBREVIATIONS and not ("." in bare and re.fullmatch(r"(?:[a-z]\.)+[a-z]", bare))  # U.S. Army


def _pieces(sentence: str, longest: int):
    while len(sentence) > longest:
        cut = sentence.rfind(" ", longest // 2, longest) + 1 or longest
        yield sentence[:cut].strip()
        sentence = sentence[cut:]
    yield sentence.strip()


def split_sentences(text: str, longest: int = LONGEST_SENTENCE) -> list[str]:
    """Splits a paragraph into sentences, in order; only the blanks around them are lost.

    A Chinese sentence ends at 。．！？；… with the closing quotes and brackets that follow; an English one at `.!?`
    before a capital, a digit or an opening quote, but not after an abbreviation (Mr., e.g., U.S.) or an initial. In
    text without capitals a lower-case letter may start a sentence. A sentence longer than `longest` characters is cut.
    """
    lower_case = text == text.lower()
    sentences, start = [], 0
    for match in _BOUNDARY.finditer(text):
        if _ends_sentence(text, match, lower_case):
            sentences.append(text[start:match.end()])
            start = match.end()
    sentences.append(text[start:])
    sentences = [sentence.strip() for sentence in sentences]
    if max(map(len, sentences)) > longest:
        sentences = [piece for sentence in sentences for piece in _pieces(sentence, longest)]
    return [sentence for sentence in sentences if sentence]
