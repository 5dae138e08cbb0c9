"""bert-as-service's protocol over ZeroMQ."""
