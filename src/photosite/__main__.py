"""`python -m photosite` is the command `photosite`."""

import sys

from photosite.cli import main

if __name__ == "__main__":
    sys.exit(main())
