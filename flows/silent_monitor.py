"""A silent monitor: started when a use case was not looked at in time, it tells people."""

from tailtune.operations.orchestration import check_silence, flow


@flow(name="silent_monitor", flow_run_name="silent monitor")
def silent_monitor(hours: float = 3.0) -> None:
    """Raise an alert for each use case of which a day with answers, over for so many hours, was not looked at."""
    check_silence(hours)
