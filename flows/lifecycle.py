"""The whole life of a model: what `tailtune run` starts. `python flows/lifecycle.py USE_CASE [--force]`."""

from curation import curation
from evaluation import evaluation
from training import training
from validation import validation
from versioning import versioning

from tailtune.core.process import leave
from tailtune.lifecycle.local_server import main
from tailtune.lifecycle.orchestration import Milestones, closed_gate, ended, flow

FAMILIES = (curation, validation, training, evaluation, versioning)


@flow(name="lifecycle", flow_run_name="life of {use_case}")
def lifecycle(use_case: str, force: bool = False) -> object:
    """From raw rows to a registered version; a stage whose inputs have not changed is not run again."""
    reached, closed = Milestones(use_case, of=len(FAMILIES)), None
    for family in FAMILIES:
        if closed := closed_gate(family(use_case, force)):
            break
        reached.one_more()
    return ended(use_case, closed)


if __name__ == "__main__":
    leave(main(lifecycle))
