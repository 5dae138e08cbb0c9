"""Sequences of tokens from documents: packing, segment pairs, labelled texts."""
