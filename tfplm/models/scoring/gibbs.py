"""Text from a masked language model by Gibbs sampling: "BERT has a Mouth, and It Must Speak" (Wang & Cho 2019).

A masked language model gives p(token | all others). Starting from nothing but masks, tokens are drawn anew from these
conditionals, again and again; the rows of a batch are chains of their own.
"""

import dataclasses
from typing import Literal

import numpy as np
from tqdm import tqdm

from tfplm.models.scoring.language_model import MASKED, LanguageModel, open_language_model


@dataclasses.dataclass(frozen=True, kw_only=True)
class GibbsSettings:
    """How to sample.

    length: tokens of a text, without the `prompt`, which stays as it is, in front.
    updates: `sequential`: each sweep masks and draws one place after another, from left to right; `random`: one place
        drawn at random at a time, as many as there are places make a sweep (section 3 of the paper); `parallel`: all
        places at once from what stands there now, without masking (its quick approximation, of lower quality).
    sweeps: how often each place is drawn. burn_in: in the first of these sweeps tokens are drawn from the whole
        distribution, from then on from the `top_k` likeliest ones.
    temperature: below 1 favours likely tokens. top_k: 0 for the whole distribution, 1 for the likeliest token.
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
            raise ValueError(f"updates={self.updates!r}: expected sequential, random or parallel")
        for name, least in (("length", 1), ("sweeps", 1), ("burn_in", 0), ("top_k", 0), ("batch_size", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} is {getattr(self, name)}, expected at least {least}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}, expected more than 0; top_k=1 takes the likeliest")


def gibbs_sample(source, count: int = 8, *, tokenizer=None, dtype: str | None = None, progress: bool = False,
                 **settings) -> list[str]:
    """`count` texts drawn from a masked language model.

    Args:
        source: a directory or hub name, or a model with a masked language model's head (then with `tokenizer`).
        settings: the fields of `GibbsSettings`, such as `length=30, temperature=0.8, seed=1`. The same seed gives the
            same texts.

    Special tokens are never drawn. Raises ValueError for a model that is not a masked one, and for more tokens than
    it has positions for.
    """
    settings = GibbsSettings(**settings)
    opened = open_language_model(source, tokenizer, dtype=dtype)
    if opened.kind != MASKED or opened.tokenizer.mask_token_id is None:
        raise ValueError(f"Gibbs sampling needs a masked language model with a mask token, this is a {opened.kind} "
                         "one: let it generate (tfplm generate)")
    texts = []
    with tqdm(total=count, unit="text", desc="sampling", disable=not progress) as bar:
        for start in range(0, count, settings.batch_size):
            rows = min(settings.batch_size, count - start)
            chains = Chains(opened, settings, rows, np.random.default_rng((settings.seed, start)))
            chains.run()
            texts += chains.texts()
            bar.update(rows)
    return texts


class Chains:
    """The Markov chains of one batch. `ids` int32 `[B,T]` are their states, `places` `[N]` the columns drawn."""

    def __init__(self, opened: LanguageModel, settings: GibbsSettings, rows: int, rng: np.random.Generator):
        self.opened, self.settings, self.rng = opened, settings, rng
        tokenizer = opened.tokenizer
        prompt = tokenizer(settings.prompt, padding=False, truncation=False, add_special_tokens=False)["input_ids"][0]
        self.prompt = len(prompt)
        needed = len(opened.prefix) + len(prompt) + settings.length + len(opened.suffix)
        if opened.limit is not None and needed > opened.limit:
            raise ValueError(f"{needed} tokens with the prompt and the special ones, but the model has positions for "
                             f"{opened.limit}: make length at most {opened.limit - needed + settings.length}")
        body = np.concatenate([prompt, np.full(settings.length, tokenizer.mask_token_id)]).astype(np.int32)
        self.batch = opened.rows([body] * rows)
        self.ids = self.batch["input_ids"]
        first = len(opened.prefix) + len(prompt)
        self.places = np.arange(first, first + settings.length)
        self.forbidden = np.zeros(opened.model.config.vocab_size, bool)
        self.forbidden[tokenizer.all_special_ids] = True
        self.forbidden[len(tokenizer):] = True
        self.forbidden[[number for token, number in tokenizer.vocab.items() if token.startswith("[unused")]] = True

    def run(self) -> None:
        """All sweeps."""
        for sweep in range(self.settings.sweeps):
            top_k = 0 if sweep < self.settings.burn_in else self.settings.top_k
            if self.settings.updates == "parallel":
                self._draw(self.places, top_k)
                continue
            order = self.places
            if self.settings.updates == "random":
                order = self.rng.choice(self.places, len(self.places))
            for place in order:
                self.ids[:, place] = self.opened.tokenizer.mask_token_id
                self._draw(np.array([place]), top_k)
        for place in self.places[(self.ids[:, self.places] == self.opened.tokenizer.mask_token_id).any(0)]:
            self._draw(np.array([place]), self.settings.top_k)  # random updates may have left out places

    def _draw(self, places: np.ndarray, top_k: int) -> None:
        """Draws the tokens of the columns `places` `[P]` anew, given all others."""
        positions = np.broadcast_to(places.astype(np.int32), (len(self.ids), len(places)))
        logits = np.asarray(self.opened.logits({**self.batch, "masked_lm_positions": positions}), np.float64)
        self.ids[:, places] = draw(np.where(self.forbidden, -np.inf, logits), self.rng, self.settings.temperature,
                                   top_k)

    def texts(self) -> list[str]:
        """The states as texts, the prompt included."""
        begin = self.places[0] - self.prompt
        return self.opened.tokenizer.batch_decode(self.ids[:, begin:self.places[-1] + 1])


def draw(logits: np.ndarray, rng: np.random.Generator, temperature: float = 1.0, top_k: int = 0) -> np.ndarray:
    """Draws from softmax(logits / temperature), of the `top_k` likeliest tokens where that is not 0.

    `[...,V]` -> int `[...]`. The largest of scores + Gumbel noise is such a draw.
    """
    if 0 < top_k < logits.shape[-1]:
        least = np.partition(logits, -top_k, axis=-1)[..., -top_k][..., None]
        logits = np.where(logits < least, -np.inf, logits)
    return np.argmax(logits / temperature + rng.gumbel(size=logits.shape), axis=-1)
