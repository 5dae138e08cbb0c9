"""Pre-trained word vectors as initial values of the embeddings of a model."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from tfplm.data.text.word_vectors import read_word_vectors
from tfplm.models.model import PretrainedModel

log = logging.getLogger("tfplm")


def load_word_vectors(model: PretrainedModel, path: str | os.PathLike, tokens) -> int:
    """Sets the embeddings of the tokens in a file of word vectors; other embeddings are unchanged.

    Args:
        model: a model whose `embedding_size` equals the size of the vectors, e.g.
            `tfplm.from_config("textcnn", vocab_size=len(tokenizer), embedding_size=300)`. To freeze them, set
            `model.embeddings.trainable = False` before `compile`.
        path: file in the text format of word2vec, see `tfplm.data.text.word_vectors`; plain or gzip.
        tokens: a tokenizer, or the tokens in the order of their ids. Words must equal tokens, so a vocabulary of words
            or Chinese characters works best.

    Returns:
        The number of tokens found.

    Raises:
        ValueError: the vectors have another size, no word is a token, or a line is not a vector (with its number).
    """
    ids = {token: index for index, token in enumerate(tokens)} if isinstance(tokens, Sequence) else tokens.vocab
    table, found = np.array(model.embeddings.word.embeddings, np.float32), set()
    for word, vector in read_word_vectors(path, ids):
        if len(vector) != table.shape[1]:
            raise ValueError(f"{path} has vectors of {len(vector)} numbers, but the model's embedding_size is "
                             f"{table.shape[1]}: create the model with embedding_size={len(vector)}")
        if word not in found:  # of duplicates the first one counts
            table[ids[word]] = vector
            found.add(word)
    if not found:
        raise ValueError(f"none of the words in {path} is one of the {len(ids)} tokens: use a file with the language "
                         "and script of the vocabulary")
    model.embeddings.word.embeddings.assign(table)
    log.info("%s: vectors of %d of %d tokens", path, len(found), len(ids))
    return len(found)
