"""Tokenizers as TensorFlow operations, for programs in which tfplm does not run."""
