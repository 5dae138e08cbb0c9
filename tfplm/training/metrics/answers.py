"""How one predicted answer is scored against one right answer: SQuAD 1.1 and 2 (English), CMRC 2018 (Chinese).

Each function gives (exact match, F1), both from 0 to 1.
"""

import re
import string
from collections import Counter

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


_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# the marks that CMRC 2018 leaves out; its own list also holds the two-character dash of dots, which no single character is
_CMRC_MARKS = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_CHINESE = re.compile("[\u4e00-\u9fa5]")


def _f1(common: int, predicted: int, actual: int) -> float:
    return 2 * common / (predicted + actual) if common else 0.0


def normalised(text: str) -> str:
    """Lower case, without punctuation, articles and superfluous blanks (Rajpurkar et al. 2016, section 5)."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def squad_scores(prediction: str, answer: str) -> tuple[float, float]:
    """SQuAD 1.1: equality, and the overlap of the bags of words, after `normalised`."""
    prediction, answer = normalised(prediction), normalised(answer)
    guess, gold = prediction.split(), answer.split()
    return float(prediction == answer), _f1((Counter(guess) & Counter(gold)).total(), len(guess), len(gold))


def squad2_scores(prediction: str, answer: str) -> tuple[float, float]:
    """SQuAD 2: as SQuAD 1.1, but an empty text is right where, and only where, the answer is empty too."""
    if not normalised(prediction) or not normalised(answer):
        equal = float(normalised(prediction) == normalised(answer))
        return equal, equal
    return squad_scores(prediction, answer)


def without_marks(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CMRC_MARKS)


def mixed_units(text: str) -> list[str]:
    """Each Chinese character by itself, and the words of what stands between."""
    units, run = [], ""
    for character in without_marks(text):
        if _CHINESE.match(character):
            units += [*words_of(run), character]
            run = ""
        else:
            run += character
    return units + words_of(run)


def longest_common_run(first: list[str], second: list[str]) -> int:
    """The length of the longest run of neighbouring units that both have."""
    longest, previous = 0, [0] * (len(second) + 1)
    for unit in first:
        row = [0]
        for place, other in enumerate(second):
            row.append(previous[place] + 1 if unit == other else 0)
        longest, previous = max(longest, *row), row
    return longest


def cmrc_scores(prediction: str, answer: str) -> tuple[float, float]:
    """CMRC 2018 (Cui et al. 2019, section 4): equality and longest common run, without marks and case."""
    guess, gold = mixed_units(prediction), mixed_units(answer)
    exact = float(without_marks(prediction) == without_marks(answer))
    return exact, _f1(longest_common_run(guess, gold), len(guess), len(gold))
