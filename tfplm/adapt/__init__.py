"""A trained model -> another: fine-tuning, evaluation and prediction, several tasks at once, new classes."""
