"""`python -m tailtune`."""

import sys

from tailtune.cli import main

sys.exit(main())
