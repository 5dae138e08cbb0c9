"""Tokenized corpora in TFRecord shards, and BERT's static features. Nothing here imports TensorFlow."""
