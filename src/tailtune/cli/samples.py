"""`tailtune sample`: the data of the shipped use cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tailtune.cli import staging
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.services import versions


def _support_tickets(data: Path) -> int:
    from tailtune.samples import support_tickets

    return support_tickets.write(data).rows


def _insurance_claims(data: Path) -> int:
    from tailtune.samples import insurance_claims

    return insurance_claims.write(data).rows


SAMPLES: dict[str, Callable[[Path], int]] = {
    "support-tickets": _support_tickets,
    "insurance-claims": _insurance_claims,
}


def write_sample(paths: Paths, name: str) -> Iterator[str]:
    """Generate a sample's rows where they are missing or not as pinned, and put them into DVC's cache.

    One pin covers all of data/, so the rows of other shipped use cases are made too where they are missing.

    Raises:
        UsageError: There is no such sample, or it cannot be pinned.
    """
    if name not in SAMPLES:
        raise UsageError(
            f"{name}: no such sample; there is {', '.join(SAMPLES)}", f"tailtune sample {next(iter(SAMPLES))}"
        )
    with staging.alone(paths):
        staging.clear(paths)  # or its half-written rows would be pinned
    if versions.data_is_pinned(paths, name):
        yield f"data/{name}/ is as data.dvc pins it"
        return
    rows = SAMPLES[name](paths.data)
    others = [other for other in _missing(paths) if other in SAMPLES]
    for other in others:
        yield f"data/{other}/ holds {SAMPLES[other](paths.data):,} rows; data.dvc pins them together"
    _refuse_gaps(paths)
    before = versions.data_hash(paths)
    after = versions.pin_data(paths)
    yield f"data/{name}/ holds {rows:,} rows; data.dvc {'pins exactly these' if before == after else 'was updated'}"


def restore_samples(paths: Paths) -> None:
    """Make sure that data/ is whole before its pin is renewed: what is missing would be dropped from the pin.

    Raises:
        UsageError: A use case's rows are missing and cannot be generated.
    """
    for name in _missing(paths):
        if name in SAMPLES:
            SAMPLES[name](paths.data)
    _refuse_gaps(paths)


def _missing(paths: Paths) -> list[str]:
    return [name for name in paths.use_cases() if not paths.case(name).data.is_dir()]


def _refuse_gaps(paths: Paths) -> None:
    missing = _missing(paths)
    if missing:
        raise UsageError(
            f"data/: no rows of {', '.join(missing)}; pinning data/ now would drop them from data.dvc",
            "dvc pull data.dvc",
        )
