"""Validation: a closed gate stops the life here."""

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import flow, run_family


@flow(name="validation", flow_run_name="validation of {use_case}")
def validation(use_case: str, force: bool = False) -> object:
    """Hold the Great Expectations suite and the leakage gate against the curated rows."""
    return run_family("validation", use_case, force)


if __name__ == "__main__":
    leave(main(validation))
