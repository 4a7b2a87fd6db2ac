"""`python -m memorytalker`."""

from __future__ import annotations

import sys

from memorytalker.cli import main

if __name__ == "__main__":
    sys.exit(main())
