"""Evaluation: test is opened once."""

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import flow, run_family


@flow(name="evaluation", flow_run_name="evaluation of {use_case}")
def evaluation(use_case: str, force: bool = False) -> object:
    """Compare the fine-tune and the best cheaper rung on the same test rows."""
    return run_family("evaluation", use_case, force)


if __name__ == "__main__":
    leave(main(evaluation))
