"""Conversion between word tags and labelled spans: IOB1, IOB2 (BIO), IOE, IOBES, BMES, BILOU."""

import re
from collections.abc import Iterable, Sequence

Span = tuple[str, int, int]  # type, index of the first word, index after the last word

# first letter of a tag -> its part: BMES has M for a middle word, BILOU has L and U for a last and a single word
_PARTS = {"O": "O", "B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}

# tags of spans in another form: b-per, B_PER, PER-B; and what stands beside them for O
_OTHER_FORM = re.compile("[biesmlu][-_:./|].+|.+[-_:./|][biesmlu]", re.IGNORECASE)
_OUTSIDE = ("o", "0", "_", "-", "out", "outside", "other", "none")


def split_tag(tag: str) -> tuple[str, str]:
    """Splits `"B-PER"` into `("B", "PER")`; the part is one of O, B, I, E, S; a tag without a type has the type `_`.

    Raises ValueError for a tag that belongs to none of the schemes.
    """
    part = _PARTS.get(tag[:1])
    if part is None or tag[1:2] not in ("", "-") or (part == "O" and len(tag) > 1):
        raise ValueError(f"the tag is {tag!r}; expected O, or one of B, I, E, S, M, L, U alone or followed by a hyphen "
                         "and a type, such as B-PER")
    return part, tag[2:] or "_"


def make_spans(tags: Iterable[str]) -> bool:
    """Returns True for tags of a span scheme, False for tags of single words such as parts of speech.

    Raises the ValueError of `split_tag` if some tags are `O`, `B-TYPE` and the like, and others are not.
    """
    tags = sorted(set(tags))
    fitting = []
    for tag in tags:
        try:
            split_tag(tag)
        except ValueError as error:
            wrong = error
        else:
            fitting.append(tag)
    if len(fitting) == len(tags):
        return True
    if any(tag == "O" or "-" in tag for tag in fitting):
        raise wrong
    marked = [tag for tag in tags if _OTHER_FORM.fullmatch(tag)]
    letters = {"b", "m"} <= set(tags) or {"b", "i"} <= set(tags)
    others = marked and all(tag in marked or tag.lower() in _OUTSIDE for tag in tags)
    if others or (letters and set(tags) <= set("biesmluo")):
        raise ValueError(f"the tags are {', '.join(tags[:6])}; expected those of spans in the form O, B-PER, I-PER: "
                         "write the letters B, I, E, S, M, L, U in capitals before a hyphen and the type")
    return False


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence's tags as `(type, start, end)`, `end` exclusive, in order.

    Lenient, like conlleval and seqeval's default mode: a span starts at B and S, and at an inside tag that follows no
    span or one of another type; it ends after E and S, and where the next tag does not continue it. So the same
    annotation gives the same spans in every scheme.
    """
    spans, open_type, start, previous = [], None, 0, "O"
    for index, tag in enumerate(tags):
        part, kind = split_tag(tag)
        if open_type is not None and not (part in "IE" and previous in "BI" and kind == open_type):
            spans.append((open_type, start, index))
            open_type = None
        if part != "O" and open_type is None:
            open_type, start = kind, index
        previous = part
    if open_type is not None:
        spans.append((open_type, start, len(tags)))
    return spans


def fill_tags(tags: Sequence[str | None], labels: Sequence[str], outside: str) -> list[str]:
    """Tags for the words without one (None): the inside of a span that goes on after them, else `outside`.

    In schemes that mark the end of a span (`labels`, the tags in use, have some) such a word also ends a span that was left
    open, and begins one that has no beginning; in BIO that is unknown.
    """
    filled: list[str] = []
    for index, tag in enumerate(tags):
        if tag is None:
            following = next((other for other in tags[index:] if other is not None), outside)
            touches = tags[index + 1:index + 2] != [None]
            tag = _continued(filled[-1] if filled else outside, following, labels, touches) or outside
        filled.append(tag)
    return filled


def _continued(before: str, after: str, labels: Sequence[str], touches: bool) -> str | None:
    """The tag of a word between two words; None outside spans. `touches`: the second one is the next word."""
    try:
        (left, kind), (right, other) = split_tag(before), split_tag(after)
    except ValueError:  # not tags of spans
        return None
    used = {label[:1] for label in labels if label[1:2] in ("", "-")}
    is_open, goes_on = left in ("B", "I"), right in ("I", "E")
    if is_open and goes_on and kind == other:
        return ("M" if "M" in used else "I") + before[1:]
    ends = used & {"E", "L"}
    if is_open and ends:
        return min(ends) + before[1:]
    return "B" + after[1:] if goes_on and touches and ends and "B" in used else None


def tags_of(spans: Iterable[Span], length: int) -> list[str]:
    """The BIO tags of a sentence of `length` words; the inverse of `spans_of`.

    Raises ValueError for spans that overlap, are empty, or lie outside the sentence.
    """
    tags = ["O"] * length
    for kind, start, end in spans:
        if not 0 <= start < end <= length:
            raise ValueError(f"the span {kind} {start}:{end} does not lie in a sentence of {length} words")
        if any(tag != "O" for tag in tags[start:end]):
            raise ValueError(f"the span {kind} {start}:{end} overlaps another one: BIO tags cannot express that")
        tags[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start - 1)
    return tags


def bio_constraints(labels: Sequence[str]) -> dict[str, list]:
    """The `constraints` of a `tfplm.layers.CRF` for the tagging scheme of the labels: IOB2 (BIO), IOE, IOBES, BMES,
    BILOU or plain IO.

    A span must start with B or S if any label is a B, and end with E or S if any is an E; its type may not change.
    Not for IOB1, where most spans start with I although there are Bs: convert such tags to BIO first with
    `tags_of(spans_of(tags), len(tags))`.
    """
    parts = [split_tag(label) for label in labels]
    letters = {part for part, _ in parts}
    starts = [part in "OBS" or "B" not in letters for part, _ in parts]
    ends = [part in "OES" or "E" not in letters for part, _ in parts]
    rows = [[(first in "BI" and second in "IE" and kind == other) or (ends[i] and starts[j])
             for j, (second, other) in enumerate(parts)] for i, (first, kind) in enumerate(parts)]
    return {"transitions": rows, "start": starts, "end": ends}
