"""The command line: parse, call, print. Every stage of `lifecycle/table.py` is a verb here."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tailtune.config.settings import quiet_environment
from tailtune.core.errors import TailTuneError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after `tailtune`; those of the process when None.

    Returns:
        Exit code: 0 done, 1 failed, 2 used wrongly, 3 a gate said no, 4 a server did not answer, 130 interrupted.
    """
    quiet_environment()
    from tailtune.cli.app import app

    try:
        return app(arguments)
    except TailTuneError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"\n{_disk_error(error)}", file=sys.stderr)
        return TailTuneError.exit_code
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130


def _disk_error(error: OSError) -> TailTuneError:
    """A file that could not be read or written, as an error a person can act on."""
    where = error.filename if error.filename is not None else "the system"
    return TailTuneError(
        f"{where}: {error.strerror or error}", "mend the path, its permissions or the disk, then run again"
    )
