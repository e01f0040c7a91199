"""``python -m tests.fuzz DOOR... --count N --first S``; see `fuzz.harness`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzz.harness import main

main()
