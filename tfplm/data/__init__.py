"""Corpora, records, batches, noise, and readers of labelled tasks."""
