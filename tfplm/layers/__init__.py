"""The maths, in Keras layers; knows no model family."""
