"""`python -m tailtune`."""

from tailtune.cli import main
from tailtune.core.process import leave

leave(main())
