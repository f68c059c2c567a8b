"""python -m parity_tests: measure the parity table."""

import sys

from .table.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
