"""Data augmentation during fine-tuning: batches are changed at random, differently in each epoch."""

import functools

import keras
import numpy as np

from tfplm.data.batches.augmentation import (
    cut_span,
    cut_tokens,
    mask_at_random,
    nearest_embeddings,
    replace_tokens,
    sample_ngrams,
    table_neighbours,
)
from tfplm.data.noise.vocabulary import NoiseVocabulary
from tfplm.data.sequences.documents import noise_vocabulary
from tfplm.models.model import PretrainedModel
from tfplm.models.scoring.language_model import LanguageModel, open_language_model
from tfplm.options.finetune import FinetuneOptions
from tfplm.tokenizers import Tokenizer

_CANDIDATES = 10


def noise_of(options: FinetuneOptions, tokenizer: Tokenizer, model: PretrainedModel):
    """A function `noise(batch, rng)` for `TaskBatches`; None without augmentation.

    "replace" samples from the ten nearest tokens by the model's own embeddings, "replace-lm" from the ten most probable
    tokens of the masked language model --init.
    """
    if options.augment == "none":
        return None
    vocabulary, rate = noise_vocabulary(tokenizer), options.augment_rate
    if options.augment == "replace":
        table = embedding_table(model, tokenizer, vocabulary)
        return functools.partial(replace_tokens, vocabulary=vocabulary, neighbours=table_neighbours(table), rate=rate)
    if options.augment == "replace-lm":
        if not options.init:
            raise ValueError("--augment replace-lm was given without --init; expected a masked language model there: "
                             "add --init, or use another augmentation")
        neighbours = lm_neighbours(open_language_model(options.init, tokenizer, "masked"), vocabulary)
        return functools.partial(replace_tokens, vocabulary=vocabulary, neighbours=neighbours, rate=rate)
    change = {"mask": mask_at_random, "ngram": sample_ngrams, "cutoff": cut_tokens, "cutoff-span": cut_span}[options.augment]
    return functools.partial(change, vocabulary=vocabulary, rate=rate)


def embedding_table(model: PretrainedModel, tokenizer: Tokenizer, vocabulary: NoiseVocabulary) -> np.ndarray:
    """int32 [V,10]: the nearest tokens of each token; word-initial tokens have only word-initial neighbors."""
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    groups = np.array([int(token.startswith(("##", "Ġ", "▁"))) for token in tokens])
    groups[vocabulary.is_special(np.arange(len(tokens)))] = -1
    embeddings = keras.ops.convert_to_numpy(keras.ops.cast(model.embeddings.word.embeddings, "float32"))
    return nearest_embeddings(embeddings[:len(tokens)], _CANDIDATES, groups)


def lm_neighbours(lm: LanguageModel, vocabulary: NoiseVocabulary):
    """A function that masks each chosen token and samples a replacement from the ten tokens that are most probable in
    its context."""
    def neighbours(batch: dict, chosen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        counts = chosen.sum(1)
        if not counts.any():
            return np.zeros(0, np.int32)
        positions = np.zeros((len(chosen), counts.max()), np.int32)
        real = np.arange(positions.shape[1]) < counts[:, None]
        positions[real] = np.nonzero(chosen)[1]
        names = ("input_ids", "attention_mask", "token_type_ids")
        masked = {name: batch[name] for name in names if name in batch}
        masked["input_ids"] = np.where(chosen, vocabulary.mask, batch["input_ids"]).astype(np.int32)
        logits = np.array(lm.logits({**masked, "masked_lm_positions": positions}))[real]  # [n,V]
        logits[:, vocabulary.is_special(np.arange(logits.shape[1]))] = -np.inf
        best = np.argpartition(-logits, _CANDIDATES, axis=1)[:, :_CANDIDATES]
        scores = np.take_along_axis(logits, best, 1) + rng.gumbel(size=best.shape)  # Gumbel trick: samples by softmax
        return np.take_along_axis(best, scores.argmax(1)[:, None], 1)[:, 0].astype(np.int32)

    return neighbours
