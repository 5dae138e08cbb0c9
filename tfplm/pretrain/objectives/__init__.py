"""Pre-training objectives: each is a file with noise, heads, losses and metrics; `catalogue` lists them by name."""
