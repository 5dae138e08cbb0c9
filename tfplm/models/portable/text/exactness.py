"""The check that a tokenizer in a graph finds the ids of `Tokenizer`, on all characters, its vocabulary and real texts."""

import itertools
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tfplm.models.portable.text.characters import assigned
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.tokenizers.tokenizer import Tokenizer

Alike = Callable[[Sequence[int], Sequence[int]], bool]
_AT_ONCE = 2048  # texts
_CHARACTERS = 48  # of a text
STRANGE = (
    "", " ", "\t\n  ", "a\x00b\x07c\x7fd\x1be", "a\u00a0b\u2003c\u3000d\u2028e\u0085f\x0bg\x1ch",
    "a\r\nb\rc",
    "\u00ad\u200b\u200d\ufeff",
    "e\u0301 \u00e9 \u0344 a\u0345\u0301 q\u0323\u0307 \u1e69",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3. \u03a3",
    "\u03b1\u03a3\u0301 \u03a3\u00ad\u03b1 \u03a3 \u03b1\u03a3\u4e2d",
    "\u0130stanbul\u2019da I\u015eIK \u1e9e \ufb01 \u00bd \u2167 \u33c7",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f1e8\U0001f1f3 \u2764\ufe0f \u263a",
    "\u6269\u5c55\U00020000\U0002a6df\U0002a700\U0002ceaf\U0002f800\uf900 \u304b\u3099\u30ab\u3099",
    "\ufffd\ufffe\uffff\ufdd0\U0001ffff\U0010ffff\ue000", "\U0001d15e\U0001d165\U0001d16d\U0001d165 \u302e\u302f",
    "\u1b44\u0323\u1b44\u302e\u034f\u1b44", "x" * 199, "x" * 200, "x" * 201, "\u00e9" * 201,
    "don't I'll we've 's'll ''s 'S  's\n's '", "``tex'' `` ''", "3.14 1,234,567.89, 2008, \u00b2, \u0663,",
    "  two  spaces  ", "http://a.b/c?d=e&f=g#h user@host.org",
    "\u201c\u4e2d\u6587\u201d\u2014\u2014\u300a\u4e66\u300b\uff0cABC\uff11\uff12", "\u2581a \u2581 \u2581\u2581",
)


def check_exact(graph, tokenizer: Tokenizer, texts: Sequence[str] = (), alike: Alike = lambda *_: False) -> int:
    """Compares the ids of `graph(texts)`, see `pieces_graph`, with those of the tokenizer; returns the number of texts.

    alike: returns True for different ids that are equally good, see `SentencePieceGraph.alike`.

    The texts are: strange ones, all characters of Unicode, all tokens of the vocabulary, special tokens within texts,
    and `texts`. Raises NotInGraph with the first text for which they differ.
    """
    count, remaining = 0, _texts(tokenizer, texts)
    while batch := list(itertools.islice(remaining, _AT_ONCE)):
        expected = tokenizer(batch, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
        found = graph(np.array([text.encode() for text in batch], object))
        splits, values = found.row_splits.numpy(), found.flat_values.numpy()
        for text, row, start, end in zip(batch, expected, splits, splits[1:]):
            if not np.array_equal(row, values[start:end]) and not alike(row.tolist(), values[start:end].tolist()):
                raise NotInGraph(f"its ids of the text {text[:40]!r} are {row[:8].tolist()}..., but TensorFlow Text's "
                                 f"{values[start:end][:8].tolist()}...")
        count += len(batch)
    return count


def _texts(tokenizer: Tokenizer, texts: Sequence[str]) -> Iterator[str]:
    yield from STRANGE
    for special in tokenizer.backend.get_added_tokens_decoder().values():
        yield f"a {special.content}b{special.content}{special.content} c {special.content.lower()}"
    yield from texts
    for start in range(0, len(assigned()), _CHARACTERS):
        yield "a b".join(assigned()[start:start + _CHARACTERS])
    for token in tokenizer.vocab:
        yield token
        yield token.removeprefix("##").replace("\u2581", " ").replace("\u0120", " ")
