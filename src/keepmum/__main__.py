"""``python -m keepmum`` is the command ``keepmum``."""

import sys

from keepmum.cli import main

if __name__ == "__main__":
    sys.exit(main())
