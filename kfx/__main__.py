"""``python -m kfx`` is ``kfx``."""

import sys

from kfx.cli import main

if __name__ == "__main__":
    sys.exit(main())
