"""Engines: what a worker of the server runs."""
