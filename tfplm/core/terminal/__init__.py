"""What a command shows: its results, and not the messages of the libraries that it loads."""

from tfplm.core.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "Results": ".results",
    "complain": ".messages",
    "hold_import_noise": ".import_noise",
    "one_line": ".messages",
    "print_table": ".results",
})
