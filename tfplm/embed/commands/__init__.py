"""The verbs that make or compare sentence vectors."""
