"""Model-independent foundations: configurations, weight names, checkpoint files, sources."""
