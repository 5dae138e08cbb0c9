"""From texts to vectors: tokens, packed batches, the pooled forward pass."""
