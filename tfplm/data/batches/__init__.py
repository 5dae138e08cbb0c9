"""Sequences as batches: collation, shuffling, mixing, augmentation."""
