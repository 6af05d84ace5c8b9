"""Retraining: started by the time, by drift, by new labels or by a person; it runs only where that is worth it."""

from tailtune.operations.orchestration import flow, retrain_all


@flow(name="retraining", flow_run_name="retraining because of {because}")
def retraining(use_case: str | None = None, because: str = "schedule") -> object:
    """Retrain one use case, or every one that has a version."""
    return retrain_all(use_case, because)
