"""The demonstrations: pre-training in minutes, handwritten digits."""
