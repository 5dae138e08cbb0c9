"""Demonstrations: pre-training in minutes, handwritten digits."""
