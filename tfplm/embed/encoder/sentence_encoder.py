"""`SentenceEncoder`, which encodes texts as vectors."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Sequence

import numpy as np
from tqdm.auto import tqdm

from tfplm.core.config import Config
from tfplm.embed.encoder.containers import as_list, many
from tfplm.embed.encoder.loading import HEADS, load_model
from tfplm.embed.encoder.pooling import PoolingPlan
from tfplm.embed.encoder.program import EncodeFunction
from tfplm.embed.encoder.recipe import Recipe
from tfplm.embed.encoder.rows import PackingLimits, TextIds, assemble, check_texts, pack_texts
from tfplm.embed.encoder.sentence_transformers import model_folder, read_recipe, write_recipe
from tfplm.embed.encoder.single_texts import Ownership, State
from tfplm.embed.encoder.text_ids import TextReader
from tfplm.embed.encoder.vectors import normalize_rows, pad_tokens, row_lengths
from tfplm.embed.encoder.whitening import Moments, Whitening
from tfplm.embed.static.folder import is_static
from tfplm.layers.precision import inference_dtype
from tfplm.models.inputs import readable
from tfplm.models.model import PretrainedModel
from tfplm.models.portable.cache import Backend, backend_of
from tfplm.models.pretrained.api import save_pretrained
from tfplm.models.pretrained.source import Source, open_source
from tfplm.tokenizers import Tokenizer

POOL = 16384  # texts that are tokenized and sorted by length together
_MANY = 2000  # number of texts from which a progress bar is shown
_UNLIMITED = 512  # maximum tokens of a text if neither model nor tokenizer has a limit


class SentenceEncoder:
    """Encodes texts as float32 vectors, by a model, its tokenizer and a recipe (pooling, length, prompts, ...).

        encoder = SentenceEncoder.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")
        vectors = encoder.encode(["今天天气真好。", "The weather is fine today."])     # float32 [2,384]

    The vector of a text does not depend on the other texts of a call, nor on their order (up to rounding).

    Args:
        model: a model without a head; for `CLASSIFICATION` and `REGRESSION` with the head "sequence_classification".
        tokenizer: the model's tokenizer.
        recipe: a `Recipe`, or a pooling (`"REDUCE_MEAN"`, `"cls"`, 2, ...); default: the mean over the last layer.
        weights: "private" if no other code has the model, see `weights` below.
        backend: the program that runs the model in place of TensorFlow, or None.

    Attributes:
        origin: the arguments of `from_pretrained`, with which other processes load the same encoder; else None.
        whitening: a `Whitening`, applied after pooling and before normalization, or None. May be set.
        batch_tokens: tokens of a batch, including padding. May be set.
    """

    def __init__(self, model: PretrainedModel, tokenizer: Tokenizer, recipe: Recipe | PoolingPlan | str | int | None = None,
                 weights: State | Ownership = "shared", backend: Backend | None = None):
        if not isinstance(recipe, Recipe):
            plan = recipe if isinstance(recipe, PoolingPlan) else PoolingPlan.of("REDUCE_MEAN" if recipe is None else recipe)
            recipe = Recipe(plan)
        limit = model.config.row_limit(tokenizer.model_max_length)
        length = min(recipe.max_length or limit or _UNLIMITED, limit or 10**9)
        self._model, self.tokenizer, self.recipe = model, tokenizer, dataclasses.replace(recipe, max_length=length)
        self.whitening, self.batch_tokens, self.origin = None, 2048, None
        self._widest = limit
        self._ownership = weights if isinstance(weights, Ownership) else Ownership(weights)
        self._backend = backend
        self._function = EncodeFunction(model, recipe.plan, self._ownership, backend)
        self._reader = TextReader(tokenizer, length, recipe.lowercase)
        self._pad = model.config.pad_token_id or 0

    @property
    def model(self) -> PretrainedModel:
        """The model itself. Code that gets it may change its weights, so private `weights` become shared; to read the
        configuration, use `config` instead."""
        self._ownership.lend()
        return self._model

    @property
    def weights(self) -> State:
        """The state of the model's weights, which determines if they may change; all encoders of a model share it.

        "private": only these encoders have the model, as after `from_pretrained`. "shared": other code has it, too.
        "frozen": `freeze` was called, a promise not to change them. If weights cannot change, short single texts are
        encoded by a program whose weights are constants. May be set: to "private" after the last change by other code.
        """
        return self._ownership.state

    @weights.setter
    def weights(self, state: State) -> None:
        self.freeze() if state == "frozen" else self._ownership.set(state)

    @property
    def config(self) -> Config:
        """The model's configuration."""
        return self._model.config

    @property
    def num_labels(self) -> int | None:
        """Number of outputs of the model's head, or None."""
        return self._model.num_labels

    @classmethod
    def from_pretrained(cls, source: str | os.PathLike, pooling=None, layers: int | Sequence[int] | None = None,  # noqa: PLR0913 (a contract)
                        normalize: bool | None = None, max_length: int | None = None, dtype: str | None = "auto", *,
                        average_layers: bool = False, mask_cls_sep: bool = False, num_labels: int | None = None,
                        backend: str = "tensorflow", precision: str | None = None, **config_overrides
                        ) -> "SentenceEncoder":
        """Loads an encoder from a directory or hub name, of sentence-transformers, model2vec or any model of tfplm.

        Args:
            pooling: a strategy of `Pooling` (name or number), or several whose vectors are concatenated. Default: that
                of the directory (sentence-transformers), else the mean.
            layers: default -1, the last; see `PoolingPlan`. Layers above the highest one are not computed.
            normalize: scale vectors to length 1. Default: the directory's setting, else False.
            max_length: tokens of a text, including special tokens; longer texts are truncated on the right. Default:
                the directory's setting, else the number of the model's positions.
            dtype: of weights and computation; "auto": bfloat16 where that is faster, see `tfplm info`. Vectors are float32.
            average_layers, mask_cls_sep: see `PoolingPlan`. num_labels: outputs of a new classification head.
            backend: the program that runs the model: "tensorflow", "onnx" (ONNX Runtime) or "openvino". For the others
                the model is exported once, into a folder `.tfplm` beside it, and again when its files change; with
                precision "float32" vectors are the same.
            precision: of another backend: "float32" (default), "float16" weights, or "int8" products.
            config_overrides: fields of `Config`, as in `tfplm.from_pretrained`.
        """
        origin = {name: value for name, value in locals().items() if name not in ("cls", "config_overrides")}
        opened = open_source(source)
        origin["source"] = source.name if isinstance(source, Source) else source  # another process opens it again
        if is_static(opened.path):
            from tfplm.embed.static.encoder import StaticEncoder

            return StaticEncoder.open(opened, origin, config_overrides)
        if backend == "tensorflow":
            origin["dtype"] = dtype = inference_dtype(dtype)  # other processes need not measure it
        recipe = read_recipe(opened.path) if opened.path.is_dir() else None
        if recipe is not None and (folder := model_folder(opened.path)) != opened.path:
            opened = open_source(folder)
        plan = recipe.plan if recipe else PoolingPlan()
        if pooling is not None or layers is not None or average_layers or mask_cls_sep:
            plan = PoolingPlan.of(plan.strategies if pooling is None else pooling,
                                  plan.layers if layers is None else layers,
                                  average_layers=average_layers, mask_cls_sep=mask_cls_sep)
        changes = {"plan": plan, "normalize": normalize, "max_length": max_length}
        recipe = dataclasses.replace(recipe or Recipe(), **{k: v for k, v in changes.items() if v is not None})
        program = backend_of(backend, precision, opened, dtype, num_labels=num_labels, **config_overrides)
        model = load_model(opened, plan, "float32" if program else dtype, num_labels, config_overrides)
        encoder = cls(model, opened.tokenizer(), recipe, "private", program)
        encoder.origin = {**origin, **config_overrides}
        return encoder

    @property
    def dimension(self) -> int:
        """Number of components of a vector."""
        return self._pooled_dimension if self.whitening is None else self.whitening.dimension

    @property
    def _pooled_dimension(self) -> int:
        if self.recipe.dense:
            return self.recipe.dense[-1].kernel.shape[1]
        if self.recipe.plan.strategies[0] in HEADS:
            return self._model.num_labels
        return self.recipe.plan.width(self.config.hidden_size)

    def encode(self, texts, batch_tokens: int | None = None, *, prompt: str | None = None, normalize: bool | None = None,
               show_progress: bool | None = None) -> np.ndarray:
        """The vectors of texts, in the order of the texts.

        Args:
            texts: a str or a pair, a tuple of two str (one vector, `[H]`); a list of str, of pairs, or of lists of
                tokens, which are looked up in the vocabulary; a token "|||" separates the two texts of a pair. In place
                of the list: a generator, an array or tensor of strings, a column of a table. Bytes are read as UTF-8.
            batch_tokens: tokens of a batch, including padding: more is not faster on CPUs, but takes more memory.
            prompt: the name of one of the recipe's prompts, or a prompt itself, which is put before each text; default:
                the recipe's default prompt; "" for no prompt.
            normalize: scale vectors to length 1; default: the recipe's setting.
            show_progress: show a progress bar; default: for 2,000 or more texts, if standard error is a terminal.

        Returns:
            float32 `[N,H]`; for pooling `NONE` `[N,T,H]`, zero after the end of a text.

        Raises TypeError for an item that is not a text, and for a container without an order or of several columns.
        """
        texts, single = as_list(texts)
        prompt = self.prompt(prompt)
        # None in tqdm: disabled if standard error is not a terminal
        disable = None if show_progress is None and len(texts) >= _MANY else not show_progress
        parts = []
        with tqdm(total=len(texts), unit="text", unit_scale=True, disable=disable, dynamic_ncols=True) as bar:
            for start in range(0, len(texts), POOL):
                rows = self._reader(texts[start:start + POOL], prompt, self.recipe.pool_prompt)
                parts.append(self.encode_ids(rows, batch_tokens, normalize=normalize, progress=bar.update))
        vectors = self._joined(parts)
        return vectors[0] if single else vectors

    def encode_ids(self, rows: Sequence[TextIds | Sequence[int]], batch_tokens: int | None = None, *,
                   normalize: bool | None = None, progress=None) -> np.ndarray:
        """Like `encode`, for token ids that include the special tokens, at most `max_length` per text.

        rows: `TextIds`, or lists or arrays of ids. progress: called with the number of texts of each finished batch.
        """
        rows = [row if isinstance(row, TextIds) else TextIds.of(row) for row in rows]
        check_texts(rows, self.config.vocab_size, self._widest)
        lengths, result = [len(row) for row in rows], None
        limits = PackingLimits(batch_tokens or self.batch_tokens, self._function.packs, self._widest)
        for packed in pack_texts(lengths, limits):
            vectors = self._function(assemble(rows, packed, self._pad))
            if result is None:
                wide = (max(lengths),) if self.recipe.plan.of_tokens else ()
                result = np.zeros((len(rows), *wide, vectors.shape[-1]), np.float32)
            if self.recipe.plan.of_tokens:
                result[packed.texts, :vectors.shape[1]] = vectors
            else:
                result[packed.texts] = vectors
            if progress is not None:
                progress(len(packed.texts))
        return self._finish(self._joined([]) if result is None else result, normalize)

    def freeze(self, max_bytes: int | None = None) -> "SentenceEncoder":
        """Promises that the model's weights will not change: short single texts are then encoded faster. Returns self.

        An encoder made by `from_pretrained` does not need it, as long as its `weights` are private and have at most 256
        MB. The programs, one for each of three widths, are made in the background; each takes about twice the memory of
        the model's weights. If weights change after all, batches use the new ones, but single texts only after
        another call. It has no effect for models and poolings that cannot pack texts (see `program.can_pack`).

        max_bytes: do nothing if the weights are larger. Raises ValueError for weights that are too large for a program.
        """
        texts = self._function.single_texts
        if texts is not None and (max_bytes is None or texts.bytes <= max_bytes):
            texts.check()
            self._ownership.set("frozen")
        return self

    def with_recipe(self, recipe: Recipe, tokenizer: Tokenizer | None = None) -> "SentenceEncoder":
        """Another encoder with the same model, without whitening."""
        return SentenceEncoder(self._model, tokenizer or self.tokenizer, recipe, self._ownership, self._backend)

    def embed(self, batch: dict, *, normalize: bool | None = None) -> np.ndarray:
        """The vectors `[B,H]` (pooling `NONE`: `[B,T,H]`) of a tokenized batch: `input_ids` `[B,T]`, `attention_mask`
        `[B,T]` (1 = real; default: all), `token_type_ids` `[B,T]`; rows are padded on the right."""
        batch = readable(batch)
        ids = np.asarray(batch["input_ids"])
        mask = np.asarray(batch.get("attention_mask", np.ones_like(ids)))
        types = np.asarray(batch.get("token_type_ids", np.zeros_like(ids)))
        vectors = self.encode_ids([TextIds(row[:n], kind[:n]) for row, kind, n in zip(ids, types, row_lengths(mask))],
                                  normalize=normalize)
        return pad_tokens(vectors, ids.shape[1]) if self.recipe.plan.of_tokens else vectors

    def fit_whitening(self, texts: Iterable[str], n_components: int | None = None, **keywords) -> Whitening:
        """Fits a whitening on texts (which need not fit in memory), sets it and returns it. keywords: for `encode`."""
        Whitening.check_components(n_components, self._pooled_dimension)
        self.whitening, moments, texts = None, Moments(), iter(many(texts))
        while chunk := list(itertools.islice(texts, POOL)):
            moments.update(self.encode(chunk, normalize=False, **keywords))
        self.whitening = Whitening.fit(moments, n_components)
        return self.whitening

    def tokenize(self, texts: list, prompt: str | None = None) -> list[TextIds]:
        """The token ids of texts, as `encode` passes them to `encode_ids`."""
        return self._reader(texts, self.prompt(prompt), self.recipe.pool_prompt)

    def frame(self, first: Sequence[int], second: Sequence[int] | None = None) -> TextIds:
        """The same for the token ids of a text or pair: adds special tokens and truncates it to `max_length`."""
        return self._reader.of_ids(first, second)

    def prompt(self, name: str | None) -> str:
        """The text of the prompt with this name; None: of the default prompt; `name` itself if no prompt has it."""
        prompts, default = self.recipe.prompts, self.recipe.default_prompt
        return prompts.get(default, "") if name is None else prompts.get(name, name)

    def save_pretrained(self, directory: str | os.PathLike) -> None:
        """Writes the model, its tokenizer and the modules of sentence-transformers, which can also read the directory.

        A whitening becomes a Dense module: `(x - mean) kernel` = `x kernel - mean kernel`.
        """
        recipe = self.recipe
        if self.whitening is not None:
            recipe = dataclasses.replace(recipe, dense=(*recipe.dense, self.whitening.as_dense()))
        write_recipe(directory, recipe, self._model.config.hidden_size)
        save_pretrained(self._model, directory, self.tokenizer)

    def _finish(self, vectors: np.ndarray, normalize: bool | None) -> np.ndarray:
        """Applies projections, whitening and normalization."""
        for module in self.recipe.dense:
            vectors = module(vectors)
        if self.whitening is not None:
            vectors = self.whitening.apply(vectors)
        if self.recipe.normalize if normalize is None else normalize:
            vectors = normalize_rows(vectors)
        return np.ascontiguousarray(vectors, np.float32)

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        if not parts:
            return np.zeros((0, self.dimension), np.float32)
        if self.recipe.plan.of_tokens and len(parts) > 1:
            longest = max(part.shape[1] for part in parts)
            parts = [pad_tokens(part, longest) for part in parts]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
