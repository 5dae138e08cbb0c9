"""Labelled data: file readers, examples, and their conversion to features and back."""
