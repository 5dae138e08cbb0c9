"""Pre-trained word vectors as initial values of the embeddings of a model."""

import logging
import os
from collections.abc import Sequence

import numpy as np

from tfplm.data.words import WordVectors
from tfplm.models.model import PretrainedModel

log = logging.getLogger("tfplm")


def load_word_vectors(model: PretrainedModel, path: str | os.PathLike, tokens) -> int:
    """Sets the embeddings of the tokens in a file of word vectors; other embeddings are unchanged.

    Args:
        model: a model whose `embedding_size` equals the size of the vectors, e.g.
            `tfplm.from_config("textcnn", vocab_size=len(tokenizer), embedding_size=300)`. To freeze them, set
            `model.embeddings.trainable = False` before `compile`.
        path: a file that `tfplm.WordVectors.load` reads.
        tokens: a tokenizer, or the tokens in the order of their ids. Words must equal tokens, so a vocabulary of words
            or Chinese characters works best.

    Returns:
        The number of tokens found.

    Raises:
        ValueError: the vectors have another size, no word is a token, or the file is damaged (with the line).
    """
    ids = {token: index for index, token in enumerate(tokens)} if isinstance(tokens, Sequence) else tokens.vocab
    table = np.array(model.embeddings.word.embeddings, np.float32)
    vectors = WordVectors.load(path, only=ids)
    if not len(vectors):
        raise ValueError(f"none of the words in {path} is one of the {len(ids)} tokens: use a file with the language "
                         "and script of the vocabulary")
    if vectors.vector_size != table.shape[1]:
        raise ValueError(f"{path} has vectors of {vectors.vector_size} numbers, but the model's embedding_size is "
                         f"{table.shape[1]}: create the model with embedding_size={vectors.vector_size}")
    table[[ids[word] for word in vectors.index_to_key]] = vectors.vectors
    model.embeddings.word.embeddings.assign(table)
    log.info("%s: vectors of %d of %d tokens", path, len(vectors), len(ids))
    return len(vectors)
