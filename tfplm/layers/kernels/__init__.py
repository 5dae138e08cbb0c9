"""Fused operations, hashed random numbers, and what the processor is good at."""
