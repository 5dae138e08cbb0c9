"""From texts to the inputs of a model in a graph: special tokens, truncation, padding."""

import dataclasses

import tensorflow as tf

from tfplm.models.portable.text.byte_pairs import BytePairGraph
from tfplm.models.portable.text.characters import Rewriter, lower_table
from tfplm.models.portable.text.errors import NotInGraph
from tfplm.models.portable.text.sentencepiece import SentencePieceGraph
from tfplm.models.portable.text.wordpiece import WordPieceGraph
from tfplm.tokenizers import backends
from tfplm.tokenizers.frame import Frame
from tfplm.tokenizers.tokenizer import Tokenizer

_KINDS = {"wordpiece": WordPieceGraph, "sentencepiece": SentencePieceGraph, "byte_bpe": BytePairGraph}


def pieces_graph(tokenizer: Tokenizer) -> tf.Module:
    """A function of texts `[B]` -> their ids without special tokens around them, ragged int32 `[B, None]`.

    Raises NotInGraph for tokenizers whose ids would be others.
    """
    kind = backends.kind_of(tokenizer.backend)
    if kind not in _KINDS:
        raise NotInGraph(f"its algorithm is {kind}")
    return _KINDS[kind](tokenizer)


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """How texts become inputs.

    - max_length: tokens of a row, including special tokens; longer texts are truncated on the right, the longer one of
      a pair first;
    - prompt: put before each (first) text; lowercase: lower-cases texts, as `str.lower`;
    - special_tokens: add those of the family, as to all texts but the prompts of a decoder.
    """

    max_length: int | None = None
    prompt: str = ""
    lowercase: bool = False
    special_tokens: bool = True


class TextInputs(tf.Module):
    """`inputs(texts, pairs)`: `input_ids`, `attention_mask`, `token_type_ids`, int32 `[B,T]`, as of a `Tokenizer`.

    texts, pairs: strings `[B]` in UTF-8. A text without any token gets one, as a row cannot be empty.

    Attributes: `takes_pairs`, whether pairs can be given.
    """

    def __init__(self, tokenizer: Tokenizer, settings: TextSettings | None = None):
        super().__init__()
        self.settings = settings = settings or TextSettings()
        self.pieces = pieces_graph(tokenizer)
        self._lower = Rewriter(lower_table(), lower=True) if settings.lowercase else None
        frame = Frame.of(tokenizer)
        if not settings.special_tokens:
            frame = Frame(*[frame.prefix[:, :0]] * 5)
        self._single = _Frame((frame.prefix, frame.suffix), (0,))
        self._pair = _Frame((frame.pair_prefix, frame.pair_separator, frame.pair_suffix), (frame.first, frame.second))
        candidates = (tokenizer.eos_token_id, tokenizer.unk_token_id, 0)
        self._filler = next(each for each in candidates if each is not None)
        self._pad = (tokenizer.pad_token_id or 0, tokenizer.rules.pad_segment)
        self._left = tokenizer.padding_side == "left"
        self._room(self._single)
        # a prompt is for single texts
        self.takes_pairs = not settings.prompt and (settings.max_length is None or settings.max_length > self._pair.size)

    def __call__(self, texts, pairs=None) -> dict:
        first = self._ids(texts, self.settings.prompt)
        if pairs is None:
            rows = self._single.around([first], self._room(self._single))
        else:
            rows = self._pair.around([first, self._ids(pairs)], self._room(self._pair))
        return self._padded(*rows)

    def _ids(self, texts, prompt: str = ""):
        texts = tf.strings.join([prompt, texts]) if prompt else texts
        return self.pieces(texts if self._lower is None else self._lower(texts))

    def _room(self, frame: "_Frame") -> int | None:
        length = self.settings.max_length
        if length is not None and length <= frame.size:
            raise ValueError(f"max_length is {length}; expected more than the {frame.size} special tokens: increase it")
        return None if length is None else length - frame.size

    def _padded(self, ids, segments) -> dict:
        empty = ids.row_lengths() == 0
        filler = tf.RaggedTensor.from_row_lengths(tf.fill([tf.reduce_sum(tf.cast(empty, tf.int32))], self._filler),
                                                  tf.cast(empty, tf.int64))
        ids, segments = tf.concat([ids, filler], 1), tf.concat([segments, filler * 0], 1)
        lengths = tf.cast(ids.row_lengths(), tf.int32)
        rows = [part.to_tensor(pad) for part, pad in zip((ids, segments), self._pad)]
        rows.append(tf.sequence_mask(lengths, tf.shape(rows[0])[1], tf.int32))
        if self._left:
            rows = [_rolled(row, lengths) for row in rows]
        return dict(zip(("input_ids", "token_type_ids", "attention_mask"), rows))


def _rolled(row, lengths):
    """`[B,T]` with padding on the right -> on the left."""
    width = tf.shape(row)[1]
    columns = (tf.range(width)[None] + lengths[:, None]) % tf.maximum(width, 1)
    return tf.gather(row, columns, batch_dims=1)


class _Frame:
    """Special tokens before, between and after texts: arrays int32 `[2, tokens]` of ids and segments."""

    def __init__(self, special: tuple, segments: tuple[int, ...]):
        self._special, self._segments = special, segments
        self.size = sum(part.shape[1] for part in special)

    def around(self, texts: list, room: int | None) -> tuple:
        """(ids, segments), ragged int32 `[B, None]`, of one or two rows of pieces that share `room` tokens."""
        if room is not None:
            limits = _limits([text.row_lengths() for text in texts], room)
            texts = [_first(text, limit) for text, limit in zip(texts, limits)]
        rows = texts[0].nrows()
        ids, segments = [], []
        for index, part in enumerate(self._special):
            ids.append(_repeated(part[0], rows))
            segments.append(_repeated(part[1], rows))
            if index < len(texts):
                ids.append(texts[index])
                segments.append(texts[index].with_flat_values(tf.fill(tf.shape(texts[index].flat_values),
                                                                      self._segments[index])))
        return tf.concat(ids, 1), tf.concat(segments, 1)


def _repeated(values, rows):
    tiled = tf.tile(tf.constant(values, tf.int32)[None], [tf.cast(rows, tf.int32), 1])
    return tf.RaggedTensor.from_tensor(tiled, row_splits_dtype=tf.int64)


def _limits(lengths: list, room: int) -> list:
    """The number of tokens kept of one or two texts: of a pair the longer one is truncated first, as by `Tokenizer`.

    If both are longer than half of the room, they get half each, and the longer one gets the odd token (the second one
    of two that are equally long).
    """
    if len(lengths) == 1:
        return [tf.minimum(lengths[0], room)]
    first, second = lengths
    room = tf.constant(room, tf.int64)
    short, long = tf.minimum(first, second), tf.maximum(first, second)
    cut = first + second > room
    both = short > room // 2
    small = tf.where(cut & both, room // 2, short)
    large = tf.where(cut, tf.where(both, room - room // 2, room - short), long)
    swapped = first > second
    return [tf.where(swapped, large, small), tf.where(swapped, small, large)]


def _first(rows, limits):
    """The first tokens of each row."""
    position = tf.range(tf.size(rows.flat_values, tf.int64)) - tf.gather(rows.row_starts(), rows.value_rowids())
    return tf.ragged.boolean_mask(rows, rows.with_flat_values(position < tf.gather(limits, rows.value_rowids())))
