"""A second witness about labels: the best local rung, which was fitted on train rows and never saw dev."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from tailtune.core.records import Answer, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.diagnose.failing import Witness
from tailtune.services import store
from tailtune.services.label_issues import suspects
from tailtune.tasks import saved
from tailtune.tasks.classification.rungs import Classifier, label_index

# Best first, by what they measure on most data; the ladder may have measured any of them, or none.
WITNESSES = ("probe", "tfidf", "retrieval", "token_probe", "template", "patterns")


def local_witness(context: Context, dev: Sequence[Row]) -> Witness:
    """What the best saved local rung says of all dev rows, and which labels confident learning then suspects.

    All dev rows are looked at, not the failing ones alone: what is usual for a class shows on its right rows.

    Raises:
        MissingInputError: The ladder's answers are not there.
    """
    ladder = context.paths.stage("ladder")
    name = next((name for name in WITNESSES if (ladder / "rungs" / name).is_dir()), "")
    if not name:
        return Witness()
    lines = store.read_jsonl(ladder / "dev_answers.jsonl", "the diagnosis", f"tailtune ladder {context.case.name}")
    answers = {line["id"]: Answer(line[name], math.nan) for line in lines if name in line}
    return Witness(name, answers, _suspect(ladder / "rungs" / name, dev))


def _suspect(folder: Path, dev: Sequence[Row]) -> frozenset[str]:
    """Ids of dev rows with an unlikely label; none where a rung gives no probabilities over a label set."""
    rung = saved.load(folder)
    if not isinstance(rung, Classifier):
        return frozenset()
    unlikely = suspects(label_index(rung.labels, dev), rung.probabilities([row.text for row in dev]))
    return frozenset(row.id for row, bad in zip(dev, unlikely, strict=True) if bad)
