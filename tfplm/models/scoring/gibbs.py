"""Gibbs sampling of texts from a masked language model: "BERT has a Mouth, and It Must Speak" (Wang & Cho 2019).

A masked language model predicts p(token | all others). Starting from masks only, tokens are sampled again and again
from these conditionals; the rows of a batch are independent chains.
"""

import dataclasses
from collections.abc import Iterator
from typing import Literal

import numpy as np
from tqdm import tqdm

from tfplm.models.scoring.language_model import MASKED, LanguageModel, open_language_model


@dataclasses.dataclass(frozen=True, kw_only=True)
class GibbsSettings:
    """Settings of the sampling.

    Attributes:
        length: number of tokens of a text, without the `prompt`.
        prompt: text before the sampled tokens; it is not changed.
        updates: "sequential": a sweep masks and samples one position after another, from left to right; "random": a
            sweep samples random positions, as many as there are positions (section 3 of the paper); "parallel": all
            positions at once, given the current tokens, without masking (a fast approximation of lower quality).
        sweeps: number of sweeps, and so of samples of each position.
        burn_in: number of first sweeps that sample from the whole distribution; later ones sample from the `top_k` most
            likely tokens.
        temperature: below 1 favours likely tokens.
        top_k: 0 for the whole distribution, 1 for the most likely token.
        seed: the same seed gives the same texts.
        batch_size: number of texts sampled together.
    """

    length: int = 20
    prompt: str = ""
    updates: Literal["sequential", "random", "parallel"] = "sequential"
    sweeps: int = 10
    burn_in: int = 5
    temperature: float = 1.0
    top_k: int = 50
    seed: int = 0
    batch_size: int = 16

    def __post_init__(self):
        if self.updates not in ("sequential", "random", "parallel"):
            raise ValueError(f"updates is {self.updates!r}; expected 'sequential', 'random' or 'parallel'")
        for name, minimum in (("length", 1), ("sweeps", 1), ("burn_in", 0), ("top_k", 0), ("batch_size", 1)):
            if getattr(self, name) < minimum:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least {minimum}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; expected more than 0: for the most likely token use "
                             "top_k=1")


def gibbs_sample(source, count: int = 8, *, tokenizer=None, dtype: str | None = None, progress: bool = False,
                 **settings) -> list[str]:
    """Samples `count` texts from a masked language model. Special tokens are never sampled.

    Args:
        source: a directory or hub name, or a model with a masked language model's head (then with `tokenizer`).
        count: number of texts.
        settings: fields of `GibbsSettings`, such as `length=30, temperature=0.8, seed=1`.

    Raises:
        ValueError: the model is not a masked one, or has too few positions.
    """
    settings = GibbsSettings(**settings)
    opened = open_language_model(source, tokenizer, dtype=dtype)
    if opened.kind != MASKED or opened.tokenizer.mask_token_id is None:
        raise ValueError(f"the source is a {opened.kind} language model; Gibbs sampling needs a masked one with a mask "
                         "token: use such a model, or the model's own method generate")
    return list(sample(opened, count, settings, progress))


def sample(opened: LanguageModel, count: int, settings: GibbsSettings, progress: bool = False, with_prompt: bool = True
           ) -> Iterator[str]:
    """The texts of `gibbs_sample`, as they are sampled; `with_prompt` False: only their sampled tokens."""
    with tqdm(total=count, unit="text", desc="sampling", disable=not progress) as bar:
        for start in range(0, count, settings.batch_size):
            rows = min(settings.batch_size, count - start)
            chains = Chains(opened, settings, rows, np.random.default_rng((settings.seed, start)))
            chains.run()
            bar.update(rows)
            yield from chains.texts(with_prompt)


class Chains:
    """The Markov chains of one batch. `ids` int32 `[B,T]` are their states, `columns` `[N]` the sampled columns."""

    def __init__(self, opened: LanguageModel, settings: GibbsSettings, rows: int, rng: np.random.Generator):
        self.opened, self.settings, self.rng = opened, settings, rng
        tokenizer = opened.tokenizer
        prompt = tokenizer(settings.prompt, padding=False, truncation=False, add_special_tokens=False)["input_ids"][0]
        self.prompt = len(prompt)
        needed = len(opened.prefix) + len(prompt) + settings.length + len(opened.suffix)
        if opened.limit is not None and needed > opened.limit:
            raise ValueError(f"there are {needed} tokens with the prompt and the special ones, but the model has "
                             f"{opened.limit} positions: use a length of at most "
                             f"{opened.limit - needed + settings.length}")
        body = np.concatenate([prompt, np.full(settings.length, tokenizer.mask_token_id)]).astype(np.int32)
        self.batch = opened.rows([body] * rows)
        self.ids = self.batch["input_ids"]
        first = len(opened.prefix) + len(prompt)
        self.columns = np.arange(first, first + settings.length)
        self.forbidden = np.zeros(opened.model.config.vocab_size, bool)
        self.forbidden[tokenizer.all_special_ids] = True
        self.forbidden[len(tokenizer):] = True
        self.forbidden[[token_id for token, token_id in tokenizer.vocab.items() if token.startswith("[unused")]] = True

    def run(self) -> None:
        """Runs all sweeps."""
        for sweep in range(self.settings.sweeps):
            top_k = 0 if sweep < self.settings.burn_in else self.settings.top_k
            if self.settings.updates == "parallel":
                self._draw(self.columns, top_k)
                continue
            order = self.columns
            if self.settings.updates == "random":
                order = self.rng.choice(self.columns, len(self.columns))
            for column in order:
                self.ids[:, column] = self.opened.tokenizer.mask_token_id
                self._draw(np.array([column]), top_k)
        for column in self.columns[(self.ids[:, self.columns] == self.opened.tokenizer.mask_token_id).any(0)]:
            self._draw(np.array([column]), self.settings.top_k)  # random updates may have skipped columns

    def _draw(self, columns: np.ndarray, top_k: int) -> None:
        """Samples new tokens for the `columns` `[P]`, given all others."""
        positions = np.broadcast_to(columns.astype(np.int32), (len(self.ids), len(columns)))
        logits = np.asarray(self.opened.logits({**self.batch, "masked_lm_positions": positions}), np.float64)
        self.ids[:, columns] = draw(np.where(self.forbidden, -np.inf, logits), self.rng, self.settings.temperature,
                                    top_k)

    def texts(self, with_prompt: bool = True) -> list[str]:
        """The states as texts, with or without the prompt."""
        first, decode = self.columns[0], self.opened.tokenizer.batch_decode
        whole = decode(self.ids[:, first - self.prompt:self.columns[-1] + 1])
        if with_prompt:
            return whole
        # the first sampled token may continue the last word of the prompt
        prompts = decode(self.ids[:, first - self.prompt:first])
        return [text.removeprefix(prompt).lstrip() for text, prompt in zip(whole, prompts)]


def draw(logits: np.ndarray, rng: np.random.Generator, temperature: float = 1.0, top_k: int = 0) -> np.ndarray:
    """Samples from softmax(logits / temperature), limited to the `top_k` most likely tokens if that is not 0.

    `[...,V]` -> int `[...]`. The argmax of scores + Gumbel noise is such a sample.
    """
    if 0 < top_k < logits.shape[-1]:
        minimum = np.partition(logits, -top_k, axis=-1)[..., -top_k][..., None]
        logits = np.where(logits < minimum, -np.inf, logits)
    return np.argmax(logits / temperature + rng.gumbel(size=logits.shape), axis=-1)
