"""Fused operations, hashed random numbers, and tuning for the processor."""
