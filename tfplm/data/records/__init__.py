"""Records: a tokenized corpus in TFRecord shards, and BERT's own static features. Nothing here imports TensorFlow."""
