"""Models from checkpoints and back: reading, the audit of weights, resizing, counting, converting."""
