"""The machine: its processor, and what was measured on it. Without TensorFlow."""
