"""Training: every cheaper rung first, then the decision, and a LoRA adapter only if it may pay."""

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import flow, run_family


@flow(name="training", flow_run_name="training of {use_case}")
def training(use_case: str, force: bool = False) -> object:
    """Measure the ladder, decide, and train if the decision lets it."""
    return run_family("training", use_case, force)


if __name__ == "__main__":
    leave(main(training))
