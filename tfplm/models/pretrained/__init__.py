"""Loading and saving of models: weights, resizing of embeddings, counts of parameters, conversion of checkpoints."""
