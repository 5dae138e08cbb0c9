"""The `tfplm` command: `tfplm VERB ...` parses the verb's options and calls its function."""

from tfplm.cli.command import main
from tfplm.cli.flags import add_flags
from tfplm.cli.parser import build_parser, parse
from tfplm.cli.verbs import VERBS, resolve, usage

__all__ = ["VERBS", "add_flags", "build_parser", "main", "parse", "resolve", "usage"]
