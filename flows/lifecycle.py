"""The whole life of a model: what `tailtune run` starts. `python flows/lifecycle.py USE_CASE [--force]`."""

from curation import curation
from evaluation import evaluation
from training import training
from validation import validation
from versioning import versioning

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import Milestones, flow

FAMILIES = (curation, validation, training, evaluation, versioning)


@flow(name="lifecycle", flow_run_name="life of {use_case}")
def lifecycle(use_case: str, force: bool = False) -> None:
    """From raw rows to a registered version; a stage whose inputs have not changed is not run again."""
    reached = Milestones(use_case, of=len(FAMILIES))
    for family in FAMILIES:
        family(use_case, force)
        reached.one_more()


if __name__ == "__main__":
    leave(main(lifecycle))
