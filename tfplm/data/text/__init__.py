"""Corpora and texts: files, documents, sentences, words."""
