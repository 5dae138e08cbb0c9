"""Vectors from a running server of bert-as-service."""
