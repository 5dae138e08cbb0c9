"""From requests to batches and back: jobs, the scheduler, workers, statistics."""
