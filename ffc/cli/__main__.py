"""`python -m ffc.cli`."""

import sys

from ffc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
