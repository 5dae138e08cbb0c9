"""Models from configurations: encoders, decoders, heads, generation, families."""
