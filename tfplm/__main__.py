"""`python -m tfplm`."""

import sys

from tfplm.cli import main

if __name__ == "__main__":
    sys.exit(main())
