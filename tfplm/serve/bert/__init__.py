"""bert-as-service's command lines."""
