"""Words of short Western texts, cut as the Penn Treebank does: for scores that are defined by such words.

An own short form of the rules that `nltk.word_tokenize` applies, without its sentence splitter (a text counts as one
sentence): it agrees with NLTK's on all answers of CMRC 2018. Text is expected in lower case.
"""

import re

_OPENING = re.compile(r'^""?|(?<=[ (\[{<])"')
_FINAL_PERIOD = re.compile(r"([^.])\.([\])}>\"'»”’ ]*)$")
_CLITIC = re.compile(r"(?<=[^' ])('(?:s|m|d|ll|re|ve)|n't)(?= |$)")
_FUSED = re.compile(r"\b(can)(not)\b|\b(gim|lem)(me)\b|\b(gon)(na)\b|\b(got)(ta)\b")
_MARK = r";@#$%&?!*()\[\]{}<>«»“”‘„’\u2012-\u2015"  # each is a word
_MARKS = r"``|''|\.{2,}|--|[,:](?!\d)"
_QUOTE = r"'(?=\w)(?<!\w')(?!(?:s|m|d|ll|re|ve|t|n)\b)"  # before a word
_WORD = re.compile(rf"{_MARKS}|[{_MARK}]|{_QUOTE}|(?:(?!{_MARKS}|'$|' )[^\s{_MARK}])+|'")


def words_of(text: str) -> list[str]:
    """`"don't (1,234.5%)."` -> `["do", "n't", "(", "1,234.5", "%", ")", "."]`."""
    text = _OPENING.sub(lambda match: " `` " * len(match.group()), text.strip())
    text = _FINAL_PERIOD.sub(r"\1 . \2", text).replace('"', " '' ").strip()
    text = _CLITIC.sub(r" \1", text)
    text = _FUSED.sub(lambda match: " ".join(filter(None, match.groups())), text)
    return _WORD.findall(text)
