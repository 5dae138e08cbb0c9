"""What is raised for tokenizers that have no equal form in a graph."""


class NotInGraph(ValueError):
    """The tokenizer has a rule that TensorFlow's operations cannot follow exactly; the message is the reason."""
