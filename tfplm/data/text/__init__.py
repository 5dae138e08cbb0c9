"""Text input: files, corpora, documents, sentences and vocabularies."""
