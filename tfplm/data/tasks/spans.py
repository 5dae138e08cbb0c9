"""Tags of words -> labelled spans, and back: IOB1, IOB2 (BIO), IOE, IOBES, BMES, BILOU."""

from collections.abc import Iterable, Sequence

Span = tuple[str, int, int]  # type, first word, word behind the last

# letter of a tag -> its part: BMES writes M for a middle, BILOU L and U for a last and an only word
_PARTS = {"O": "O", "B": "B", "I": "I", "M": "I", "E": "E", "L": "E", "S": "S", "U": "S"}


def split_tag(tag: str) -> tuple[str, str]:
    """`"B-PER"` -> `("B", "PER")`, the part being one of O, B, I, E, S; a tag without a type has the type `_`.

    Raises ValueError for a tag that is in none of the schemes.
    """
    part = _PARTS.get(tag[:1])
    if part is None or tag[1:2] not in ("", "-") or (part == "O" and len(tag) > 1):
        raise ValueError(f"the tag is {tag!r}; expected O, or one of B, I, E, S, M, L, U alone or with a type behind "
                         "a hyphen, such as B-PER")
    return part, tag[2:] or "_"


def make_spans(tags: Iterable[str]) -> bool:
    """Whether tags are of a scheme of spans; False where they stand for the words alone, as parts of speech do.

    Raises the ValueError of `split_tag` where some are `O`, `B-TYPE` and the like, and others are not.
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
    return False


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans of a sentence's tags as `(type, begin, end)`, `end` exclusive, in order.

    Lenient, as conlleval and seqeval's default mode: a span begins at B and S, and wherever an inside tag follows
    nothing or another type; it ends behind E and S, and wherever the next tag does not continue it. So the same words
    give the same spans in every scheme.
    """
    spans, open_type, begin, previous = [], None, 0, "O"
    for place, tag in enumerate(tags):
        part, kind = split_tag(tag)
        if open_type is not None and not (part in "IE" and previous in "BI" and kind == open_type):
            spans.append((open_type, begin, place))
            open_type = None
        if part != "O" and open_type is None:
            open_type, begin = kind, place
        previous = part
    if open_type is not None:
        spans.append((open_type, begin, len(tags)))
    return spans


def tags_of(spans: Iterable[Span], length: int) -> list[str]:
    """BIO tags of a sentence of `length` words; the inverse of `spans_of`.

    Raises ValueError for spans that overlap, are empty, or lie outside the sentence.
    """
    tags = ["O"] * length
    for kind, begin, end in spans:
        if not 0 <= begin < end <= length:
            raise ValueError(f"the span {kind} {begin}:{end} does not lie in a sentence of {length} words")
        if any(tag != "O" for tag in tags[begin:end]):
            raise ValueError(f"the span {kind} {begin}:{end} overlaps another one: BIO tags cannot say that")
        tags[begin:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - begin - 1)
    return tags


def bio_constraints(labels: Sequence[str]) -> dict[str, list]:
    """The `constraints` of a `tfplm.layers.CRF` in a tagging scheme, as its labels show it: IOB2 (BIO), IOE, IOBES, BMES,
    BILOU, plain IO.

    A span must begin with B or S if any label is a B, and end with E or S if any is an E; its type may not change.
    Not for IOB1, where a span mostly begins with I although there are Bs: bring such tags to BIO with
    `tags_of(spans_of(tags), len(tags))` first.
    """
    parts = [split_tag(label) for label in labels]
    letters = {part for part, _ in parts}
    begins = [part in "OBS" or "B" not in letters for part, _ in parts]
    ends = [part in "OES" or "E" not in letters for part, _ in parts]
    rows = [[(first in "BI" and second in "IE" and kind == other) or (ends[i] and begins[j])
             for j, (second, other) in enumerate(parts)] for i, (first, kind) in enumerate(parts)]
    return {"transitions": rows, "start": begins, "end": ends}
