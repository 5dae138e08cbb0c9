"""Language models that continue texts, as portable functions: with a cache, and the whole of `generate`."""
