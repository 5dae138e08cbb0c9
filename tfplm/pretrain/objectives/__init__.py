"""Objectives of pre-training: noise + heads + loss + metrics, each a short file, by name in `catalogue`."""
