"""Encoding by the original code of tokenizers, for texts that the Rust library treats otherwise."""
