"""What a version is, and what it says of itself: its key, its tags, its figures, and the files beside its model."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from tailtune.config.model import SECTIONS
from tailtune.core.digests import folder_digest
from tailtune.core.records import Row
from tailtune.core.reports import REPORTS, CandidateResult, DecideReport, EvaluateReport, last_verdict
from tailtune.core.run_plan import metric_name
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.register.looks import TEST_ROWS, Sketch
from tailtune.lifecycle.register.splits import TAG, split_digest
from tailtune.predictors.prompted.weights import digest_of
from tailtune.services import store

_SHAPING = tuple(section for section in SECTIONS if section not in ("description", "serve", "monitor", "retrain"))


def key_of(evaluated: EvaluateReport, test: Sequence[Row], folder: Path, local_model: Path | None) -> str:
    """Equal exactly when rows, winner and files are: a rerun finds its version instead of making a second.

    Args:
        evaluated: Names the winner and the rows.
        test: The test rows.
        folder: The winner's files.
        local_model: Folder of the local model that the winner asks; None when it asks none.
    """
    parts = [evaluated.rows_digest, store.rows_digest(test), evaluated.winner, folder_digest(folder)]
    parts += [] if local_model is None else [digest_of(local_model)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def winner_of(evaluated: EvaluateReport) -> CandidateResult:
    """The winner's figures."""
    return next(candidate for candidate in evaluated.candidates if candidate.name == evaluated.winner)


def tags_of(context: Context, evaluated: EvaluateReport, test: Sequence[Row]) -> dict[str, str]:
    """What made the version. Unknown things have no tag."""
    winner, provenance = winner_of(evaluated), context.inputs.provenance
    decided = context.inputs.reports.get("decide")
    verdict = last_verdict(decided if isinstance(decided, DecideReport) else None, evaluated)
    known: Mapping[str, str | None] = {
        "winner": winner.name,
        **{metric_name(name): _figure(estimate.value) for name, estimate in winner.metrics.items()},
        "verdict": None if verdict is None else verdict.verdict,
        "data_hash": provenance.data_hash,
        "rows_digest": evaluated.rows_digest,
        "spec_hash": context.case.spec.digest(_SHAPING),
        TAG: split_digest(context),
        TEST_ROWS: Sketch.of(test).tag,
        "git_commit": provenance.git_commit,
        "use_case": context.case.name,
        "git_dirty": None if provenance.git_dirty is None else str(provenance.git_dirty).lower(),
    }
    return {name: value for name, value in known.items() if value}


def _figure(value: float) -> str | None:
    return None if math.isnan(value) else f"{value:.4f}"


def model_files(context: Context) -> dict[str, Path]:
    """Everything that `tailtune reproduce` and a reader need beside the model, by artifact path."""
    paths, project = context.paths, context.project
    files = {
        "spec/model.yaml": paths.model_yaml,
        f"spec/{context.case.spec.ANSWERS}": context.case.answers_file,
        "spec/prices.yaml": project.prices,
        "spec/data.dvc": project.data_dvc,
        "spec/dvc.yaml": project.dvc_yaml,
        "spec/dvc.lock": project.dvc_yaml.with_name("dvc.lock"),
    }
    files |= {f"spec/prompts/{path.name}": path for path in sorted(paths.prompts.glob("*.md"))}
    return files | {f"reports/{name}.json": paths.report(name) for name in REPORTS if name != "register"}
