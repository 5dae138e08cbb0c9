"""Pre-trained word vectors as the first values of a model's embeddings."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from tfplm.data.text.word_vectors import read_word_vectors
from tfplm.models.model import PretrainedModel

log = logging.getLogger("tfplm")


def load_word_vectors(model: PretrainedModel, path: str | os.PathLike, tokens) -> int:
    """Sets the embeddings of the tokens that a file of word vectors has; the others keep their values.

    Args:
        model: a model whose `embedding_size` is that of the vectors, e.g.
            `tfplm.from_config("textcnn", vocab_size=len(tokenizer), embedding_size=300)`.
            `model.embeddings.trainable = False` before `compile` keeps them as they are.
        path: word2vec's text layout, see `tfplm.data.text.word_vectors`; plain or gzip.
        tokens: a tokenizer, or the tokens in the order of their ids. A word must be a token as it is, so a vocabulary of
            words or Chinese characters finds most.

    Returns:
        How many tokens were found.

    Raises:
        ValueError: the vectors have another size, no word is a token, or a line that is no vector (with its number).
    """
    ids = {token: index for index, token in enumerate(tokens)} if isinstance(tokens, Sequence) else tokens.vocab
    table, found = np.array(model.embeddings.word.embeddings, np.float32), set()
    for word, vector in read_word_vectors(path, ids):
        if len(vector) != table.shape[1]:
            raise ValueError(f"{path} has vectors of {len(vector)} numbers, but the model's embedding_size is "
                             f"{table.shape[1]}: make the model with embedding_size={len(vector)}")
        if word not in found:  # the first of two counts
            table[ids[word]] = vector
            found.add(word)
    if not found:
        raise ValueError(f"none of the words in {path} is one of the {len(ids)} tokens: is it of the same language and "
                         "script?")
    model.embeddings.word.embeddings.assign(table)
    log.info("%s: vectors of %d of %d tokens", path, len(found), len(ids))
    return len(found)
