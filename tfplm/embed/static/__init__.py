"""Static embeddings: the vector of a text is the mean of vectors of its tokens (model2vec, Tulkens and van Dongen 2024)."""
