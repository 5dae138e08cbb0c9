"""What knows no model: configurations, weight names, checkpoint files, sources."""
