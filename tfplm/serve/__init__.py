"""A server of sentence vectors: bert-as-service's protocol over ZeroMQ, and HTTP."""
