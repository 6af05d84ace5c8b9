"""Curation: raw rows become train, dev and test."""

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import fetch_data, flow, pin_data, run_family


@flow(name="curation", flow_run_name="curation of {use_case}")
def curation(use_case: str, force: bool = False) -> object:
    """Clean, scrub, de-duplicate and split the rows."""
    fetch_data(use_case)
    pin_data(use_case)
    return run_family("curation", use_case, force)


if __name__ == "__main__":
    leave(main(curation))
