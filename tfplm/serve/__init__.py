"""A server of models: sentence vectors by bert-as-service's protocol over ZeroMQ, these and other tasks over HTTP."""
