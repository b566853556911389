"""`python -m tinyres` is `tinyres`."""

import sys

from tinyres.app.cli import main

if __name__ == "__main__":
    sys.exit(main())
