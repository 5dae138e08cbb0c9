"""Encoding of texts as vectors: tokenization, packed batches, pooled forward pass."""
