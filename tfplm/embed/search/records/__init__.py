"""The records of an index, in SQL databases."""
