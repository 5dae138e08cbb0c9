"""The verbs that compute or compare sentence vectors."""
