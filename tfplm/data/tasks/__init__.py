"""Labelled data: readers of the usual files, examples, and what lies between examples and a model's batches."""
