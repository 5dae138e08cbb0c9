"""Export of models for other programs, with a check against the model itself."""

from tfplm.core.lazy import lazy_exports, make_callable

__getattr__, __dir__, __all__ = lazy_exports(__name__, {
    "ExportReport": ".report",
    "export": ".run",
})
make_callable(__name__, "export")  # `tfplm.export(...)`
