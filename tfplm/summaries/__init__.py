"""`tf.summary` utilities that any Keras model can use."""
