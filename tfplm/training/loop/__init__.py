"""The training loop around the steps: devices, strategies, resuming, signals, progress."""
