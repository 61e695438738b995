"""`python -m adcompiler` is the command `adcompiler`."""

import sys

from adcompiler.cli import main

if __name__ == "__main__":
    sys.exit(main())
