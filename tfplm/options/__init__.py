"""One dataclass per verb, which defines both its command-line flags and the keyword arguments of its function.

Nothing here imports TensorFlow, so `tfplm VERB --help` is instant.
"""

from tfplm.options.base import Options, flag, verb

__all__ = ["Options", "flag", "verb"]
