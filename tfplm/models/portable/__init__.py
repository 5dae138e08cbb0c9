"""Models for other programs: traced functions of named tensors, and the formats in which they are written and run."""
