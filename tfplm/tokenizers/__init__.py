"""Text to int32 ids and back."""
