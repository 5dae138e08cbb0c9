"""`python -m tfplm.cli`."""

import sys

from tfplm.cli.command import main

if __name__ == "__main__":
    sys.exit(main())
