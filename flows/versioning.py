"""Versioning: the winner enters the registry; the gate decides who is champion."""

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import flow, run_family


@flow(name="versioning", flow_run_name="versioning of {use_case}")
def versioning(use_case: str, force: bool = False) -> object:
    """Register the winner in MLflow."""
    return run_family("versioning", use_case, force)


if __name__ == "__main__":
    leave(main(versioning))
