"""Drift monitoring: every night, what each served version answered the day before."""

from tailtune.operations.orchestration import flow, look_at_all


@flow(name="drift_monitoring", flow_run_name="drift monitoring, {window}")
def drift_monitoring(use_case: str | None = None, window: str = "1d") -> object:
    """Look at one use case, or at every one whose answers are logged."""
    return look_at_all(use_case, window)
