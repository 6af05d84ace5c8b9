"""The command line: parse, call, print. Every stage of `lifecycle/table.py` is a verb here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tailtune.config.settings import quiet_environment
from tailtune.core.errors import TailTuneError, of_system
from tailtune.core.process import collect_rarely, end_in_order_at_sigterm, interrupted_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after `tailtune`; those of the process when None.

    Returns:
        Exit code: 0 done, 1 failed, 2 used wrongly, 3 a gate said no, 4 a server did not answer, 130 interrupted,
        143 ended with SIGTERM.
    """
    quiet_environment()
    collect_rarely()
    end_in_order_at_sigterm()
    try:
        from tailtune.cli.app import app  # takes a moment, in which Ctrl-C may come

        return app(arguments)
    except TailTuneError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"\n{of_system(error)}", file=sys.stderr)
        return TailTuneError.exit_code
    except KeyboardInterrupt as interrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return interrupted_code(interrupt)
