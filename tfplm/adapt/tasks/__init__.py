"""Tasks: how examples become a model's batches, and its outputs the user's terms again."""
