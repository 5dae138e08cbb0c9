"""One dataclass per verb: at once the flags of the command line and the keyword arguments of the Python function.

Nothing here imports TensorFlow, so that `tfplm VERB --help` is instant.
"""

from tfplm.options.base import Options, flag, verb

__all__ = ["Options", "flag", "verb"]
