"""What surrounds the steps of a training: devices, strategies, resuming, signals, progress."""
