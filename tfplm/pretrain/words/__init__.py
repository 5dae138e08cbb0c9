"""Training of word vectors: word2vec."""
