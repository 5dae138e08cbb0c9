"""Scores of a predicted answer against one reference answer: SQuAD 1.1 and 2 (English), CMRC 2018 (Chinese).

Each function returns (exact match, F1), both from 0 to 1.
"""

import re
import string
from collections import Counter

_OPENING = re.compile(r'^""?|(?<=[ (\[{<])"')
_FINAL_PERIOD = re.compile(r"([^.])\.([\])}>\"'»”’ ]*)$")
_CLITIC = re.compile(r"(?<=[^' ])('(?:s|m|d|ll|re|ve)|n't)(?= |$)")
_FUSED = re.compile(r"\b(can)(not)\b|\b(gim|lem)(me)\b|\b(gon)(na)\b|\b(got)(ta)\b")
_MARK = r";@#$%&?!*()\[\]{}<>«»“”‘„’\u2012-\u2015"  # each is a separate word
_MARKS = r"``|''|\.{2,}|--|[,:](?!\d)"
_QUOTE = r"'(?=\w)(?<!\w')(?!(?:s|m|d|ll|re|ve|t|n)\b)"  # before a word
_WORD = re.compile(rf"{_MARKS}|[{_MARK}]|{_QUOTE}|(?:(?!{_MARKS}|'$|' )[^\s{_MARK}])+|'")


def words_of(text: str) -> list[str]:
    """Words as in the Penn Treebank: `"don't (1,234.5%)."` -> `["do", "n't", "(", "1,234.5", "%", ")", "."]`."""
    text = _OPENING.sub(lambda match: " `` " * len(match.group()), text.strip())
    text = _FINAL_PERIOD.sub(r"\1 . \2", text).replace('"', " '' ").strip()
    text = _CLITIC.sub(r" \1", text)
    text = _FUSED.sub(lambda match: " ".join(filter(None, match.groups())), text)
    return _WORD.findall(text)


_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# the punctuation that CMRC 2018 removes; its list also has a two-character dash of dots, which no character equals
_CMRC_MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHINESE = re.compile("[\u4e00-\u9fa5]")


def _f1(common: int, predicted: int, actual: int) -> float:
    return 2 * common / (predicted + actual) if common else 0.0


def normalize_answer(text: str) -> str:
    """Lowercase text without punctuation, articles and extra whitespace (Rajpurkar et al. 2016, section 6.1)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def squad_scores(prediction: str, answer: str) -> tuple[float, float]:
    """SQuAD 1.1: equality, and overlap of the bags of words, after `normalize_answer`."""
    prediction, answer = normalize_answer(prediction), normalize_answer(answer)
    predicted, actual = prediction.split(), answer.split()
    common = (Counter(predicted) & Counter(actual)).total()
    return float(prediction == answer), _f1(common, len(predicted), len(actual))


def squad2_scores(prediction: str, answer: str) -> tuple[float, float]:
    """SQuAD 2: as SQuAD 1.1, but an empty prediction is correct if and only if the answer is empty, too."""
    if not normalize_answer(prediction) or not normalize_answer(answer):
        equal = float(normalize_answer(prediction) == normalize_answer(answer))
        return equal, equal
    return squad_scores(prediction, answer)


def without_marks(text: str) -> str:
    """Lowercase text without the punctuation that CMRC 2018 removes."""
    return "".join(character for character in text.lower().strip() if character not in _CMRC_MARKS)


def mixed_units(text: str) -> list[str]:
    """Splits text into Chinese characters, and words of the text between them, without punctuation."""
    units, run = [], ""
    for character in without_marks(text):
        if _CHINESE.match(character):
            units += [*words_of(run), character]
            run = ""
        else:
            run += character
    return units + words_of(run)


def longest_common_run(first: list[str], second: list[str]) -> int:
    """The length of the longest contiguous sequence of units that is in both lists."""
    longest, previous = 0, [0] * (len(second) + 1)
    for unit in first:
        row = [0]
        for position, other in enumerate(second):
            row.append(previous[position] + 1 if unit == other else 0)
        longest, previous = max(longest, *row), row
    return longest


def cmrc_scores(prediction: str, answer: str) -> tuple[float, float]:
    """CMRC 2018 (Cui et al. 2019, section 4): equality and longest common run, without punctuation and case."""
    predicted, actual = mixed_units(prediction), mixed_units(answer)
    exact = float(without_marks(prediction) == without_marks(answer))
    return exact, _f1(longest_common_run(predicted, actual), len(predicted), len(actual))
