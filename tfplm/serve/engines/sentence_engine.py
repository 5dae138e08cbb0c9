"""The engine of sentence vectors: a `SentenceEncoder` that behaves as bert-as-service."""

import dataclasses
import re
import time
import typing

import numpy as np

from tfplm.embed.encoder.pooling import Pooling, PoolingPlan
from tfplm.embed.encoder.rows import TextIds
from tfplm.embed.encoder.sentence_encoder import SentenceEncoder
from tfplm.embed.encoder.sentence_transformers import read_recipe
from tfplm.embed.encoder.single_texts import UNASKED
from tfplm.embed.static.encoder import StaticEncoder
from tfplm.embed.static.folder import is_static
from tfplm.layers.precision import inference_dtype
from tfplm.models.pretrained.counting import count_parameters
from tfplm.options.serve import DEFAULTS, ServeOptions
from tfplm.serve.engines.devices import use_devices
from tfplm.serve.engines.engine import Engine
from tfplm.serve.engines.model_folder import model_folder
from tfplm.serve.engines.vectors import Encoded, Sequence, VectorInfo
from tfplm.tokenizers.frame import cut_pair, divide

_PAIR = re.compile(r"^(.*) \|\|\| (.*)$", re.DOTALL)  # greedy: the last one divides
_WIDTHS, _ROWS = range(8, 65, 8), (*range(2, 17), 32)  # shapes of single texts, and of batches of short ones: small, full


class SentenceEngine(Engine[Sequence, Encoded]):
    """Encodes texts, pairs (`first ||| second`), lists of tokens (`|||` divides them as well) and lists of ids.

    Args:
        encoder: pooling and maximum length are its own.
        options: of how tokens are made, padded and sent.
    """

    info: VectorInfo

    def __init__(self, encoder: SentenceEncoder, options: ServeOptions):
        self.encoder, self.options, self.tokenizer = encoder, options, encoder.tokenizer
        plan, longest = encoder.recipe.plan, encoder.recipe.max_length
        self.dtype = "float16" if options.fp16 else "float32"
        fixed = longest if options.max_seq_len != "NONE" or options.fixed_embed_length else None
        self.info = VectorInfo(encoder.dimension, self.dtype, plan.of_tokens, fixed if plan.of_tokens else None, longest,
                               encoder.config.vocab_size, settings=_settings(encoder, options))

    def encode(self, inputs: list[Sequence]) -> list[Encoded]:
        rows = self.rows(inputs)
        vectors = self.encoder.encode_ids(rows, normalize=self.options.normalize).astype(self.dtype, copy=False)
        shown, per_token = self.options.show_tokens_to_client, self.info.per_token
        return [Encoded(vector[:len(row)] if per_token else vector, len(row),
                        list(self.tokenizer.convert_ids_to_tokens(row.input_ids)) if shown else None)
                for vector, row in zip(vectors, rows)]

    def warm_up(self) -> None:
        """Encodes one text of each usual length, and batches of usual sizes: new shapes take a compilation."""
        (token, *_), longest = self.encoder.tokenize(["a"])[0].input_ids, self.info.max_length or _WIDTHS[-1]
        for width in _WIDTHS:
            self.encoder.encode_ids([[token] * min(width, longest)])
        length = min(16, longest)
        for rows in _ROWS:
            self.encoder.encode_ids([[token] * length] * (rows * 64 // length))

    def rows(self, sequences: list[Sequence]) -> list[TextIds]:
        """The ids of every sequence, special ones included, cut to the maximum length. Pairs and lists are cut as
        bert-as-service cuts them."""
        if self.options.no_special_token:
            return [self._bare(first, second or []) for first, second in self._ids(sequences)]
        texts = [index for index, each in enumerate(sequences) if isinstance(each, str) and not _PAIR.match(each)]
        others = sorted(set(range(len(sequences))) - set(texts))
        rows = dict(zip(texts, self.encoder.tokenize([sequences[index] for index in texts])))
        rows |= {index: self.encoder.frame(*ids)
                 for index, ids in zip(others, self._ids([sequences[index] for index in others]))}
        return [rows[index] for index in range(len(sequences))]

    def _ids(self, sequences: list[Sequence]) -> list[tuple[list[int], list[int] | None]]:
        """The ids of each text, without special tokens, and of the second text of pairs."""
        divided = [_divide(sequence) for sequence in sequences]
        texts = [text for pair in divided for text in pair if isinstance(text, str)]
        if self.encoder.recipe.lowercase:
            texts = [text.lower() for text in texts]
        of_texts = iter(self.tokenizer(texts, padding=False, truncation=False, add_special_tokens=False)["input_ids"]
                        if texts else ())

        def ids(part: Sequence | None) -> list[int] | None:
            if isinstance(part, str):
                return next(of_texts).tolist()
            found = self.tokenizer.convert_tokens_to_ids(part) if part and isinstance(part[0], str) else part
            return typing.cast("list[int] | None", found)

        return [(ids(first) or [], ids(second)) for first, second in divided]

    def _bare(self, first: list[int], second: list[int]) -> TextIds:
        """Without special tokens: the second text of a pair has segment 1, and nothing divides them."""
        most = self.encoder.recipe.max_length or len(first) + len(second)
        left, right = cut_pair(len(first), len(second), most)
        first, second = first[:left], second[:right]
        if not first and not second:
            first = [self.tokenizer.unk_token_id or 0]
        types = np.zeros(len(first) + len(second), np.int32)
        types[len(first):] = self.encoder.config.type_vocab_size > 1
        return TextIds(np.array(first + second, np.int32), types)


def _divide(sequence: str | list) -> tuple:
    """(first, second) of a pair, (text, None) of others; the parts are of the kind of the sequence."""
    if isinstance(sequence, str):
        return pair.groups() if (pair := _PAIR.match(sequence)) else (sequence, None)
    return divide(sequence)


def make_engine(options: ServeOptions, number: int = 0) -> SentenceEngine:
    """Loads the model of worker `number` onto its device, and compiles it, so that the first clients need not wait."""
    use_devices(options, number)
    if options.backend == "tensorflow":
        options = dataclasses.replace(options, dtype=inference_dtype(options.dtype))
    with model_folder(options) as folder:
        encoder = _load(folder, options)
    engine = SentenceEngine(encoder, options)
    if isinstance(encoder, StaticEncoder):  # nothing is compiled for it
        engine.info = dataclasses.replace(engine.info, parameters=encoder.parameters)
        return engine
    engine.info = dataclasses.replace(engine.info, parameters=count_parameters(encoder.model))
    encoder.weights = "private"  # they were only counted
    if options.warm_up:
        start = time.perf_counter()
        # compiled for from the first single text on, while the rest of the warm-up goes on; these weights never change
        encoder.freeze(max_bytes=UNASKED)
        engine.warm_up()
        engine.info = dataclasses.replace(engine.info, warm_seconds=time.perf_counter() - start)
    return engine


def _load(folder, options: ServeOptions) -> SentenceEncoder:
    if is_static(folder):
        length = None if options.max_seq_len in (None, "NONE") else int(options.max_seq_len)
        return SentenceEncoder.from_pretrained(folder, options.pooling_strategy, options.pooling_layer, options.normalize,
                                               length, mask_cls_sep=options.mask_cls_sep, num_labels=options.num_labels)
    recipe = read_recipe(folder) if folder.is_dir() else None
    pooling, layers, given = options.pooling_strategy, options.pooling_layer, options.max_seq_len
    if recipe is None:
        pooling, layers = pooling or DEFAULTS["pooling_strategy"], layers or DEFAULTS["pooling_layer"]
        given = DEFAULTS["max_seq_len"] if given is None else given
    length = None if given in (None, "NONE") else int(given)
    encoder = SentenceEncoder.from_pretrained(folder, pooling, layers, options.normalize, length, options.dtype,
                                              mask_cls_sep=options.mask_cls_sep, num_labels=options.num_labels,
                                              backend=options.backend, precision=options.precision)
    longest = encoder.recipe.max_length
    if length is not None and longest is not None and longest < length:
        raise ValueError(f"max_seq_len is {length}, but the model has positions for {longest}")
    if recipe is not None and options.max_seq_len == "NONE":
        encoder = _with(encoder, max_length=None)
    if options.cased_tokenization:
        encoder = _with(encoder, tokenizer=_cased(encoder.tokenizer, folder))
    if options.no_position_embeddings:
        _forget_positions(encoder.model)
        encoder.weights = "private"  # this was the last change
    return encoder


def _with(encoder: SentenceEncoder, tokenizer=None, **changes) -> SentenceEncoder:
    recipe = dataclasses.replace(encoder.recipe, **changes)
    return encoder.with_recipe(recipe, tokenizer)


def _cased(tokenizer, folder):
    """The same WordPiece vocabulary, without lower-casing."""
    from tfplm.tokenizers import Tokenizer

    vocab = (folder if folder.is_dir() else folder.parent) / "vocab.txt"
    if not vocab.is_file():
        raise ValueError(f"cased_tokenization needs a WordPiece vocabulary, but there is no {vocab}")
    cased = Tokenizer.from_vocab(vocab, lowercase=False, model_type=tokenizer.family)
    cased.model_max_length = tokenizer.model_max_length
    return cased


def _forget_positions(model) -> None:
    position = model.embeddings.position
    if position is None or not position.variables:
        raise ValueError("no_position_embeddings is for models with a table of positions, which this one has not")
    for variable in position.variables:
        variable.assign(np.zeros(variable.shape, "float32"))


def _settings(encoder: SentenceEncoder, options: ServeOptions) -> dict:
    """The options as the model decided them, under bert-as-service's names."""
    plan: PoolingPlan = encoder.recipe.plan
    longest = None if options.max_seq_len == "NONE" else encoder.recipe.max_length
    lower = encoder.tokenizer.settings.get("do_lower_case")
    return {"dtype": options.dtype, "max_seq_len": longest, "pooling_layer": list(plan.layers),
            "num_labels": encoder.num_labels, "pooling_strategy": Pooling(plan.strategies[0]).value,
            "do_lower_case": not options.cased_tokenization if lower is None else bool(lower)}
