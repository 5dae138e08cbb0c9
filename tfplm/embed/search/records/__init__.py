"""The records of a search index in SQL databases."""
