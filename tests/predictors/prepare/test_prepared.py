"""A text that is served goes through what a row of the training file went through."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tailtune.config.model import PII
from tailtune.config.paths import Paths
from tailtune.lifecycle.curate import Drops, tidy_test_rows, tidy_train_rows
from tailtune.predictors.prepare import prepared
from tailtune.services.sources import RawRow
from tailtune.tasks.base import Files
from tailtune.tasks.classification.config import ClassificationSpec, LabelSet
from tailtune.tasks.classification.task import Classification
from tailtune.tasks.use_case import UseCase

SPEC = ClassificationSpec.model_validate(
    {
        "task": "classification",
        "data": {"file": "rows.csv"},
        "curate": {"min_chars": 1},
        **{
            name: {}
            for name in ("split", "validate", "ladder", "prompt", "targets", "value", "train", "evaluate", "register")
        },
    }
)
PATHS = Paths(Path()).case("x")
CASE = UseCase("x", PATHS, Classification(SPEC, LabelSet({"label": ""}), Files.of(PATHS, "labels.yaml")))
PARTS = (
    "a@b.de",
    " \t\n",
    "cafe\u0301",
    "\u200b",
    "phone: 5550188123",
    "4111 1111 1111 1111",
    "hi",
    "\ud83d",
    "10.0.0.1",
)
TEXTS = st.text(max_size=20) | st.lists(st.sampled_from(PARTS)).map(" ".join)


@given(TEXTS)
def test_it_is_what_curation_writes(text: str) -> None:
    raw, drops = [RawRow(text, "label", "rows.csv:1")], Drops()
    curated = [tidy.row.text for rows in (tidy_train_rows, tidy_test_rows) for tidy in rows(raw, CASE, drops)]
    assert len(curated) == (2 if prepared(text, PII) else 0)
    assert set(curated) <= {prepared(text, PII)}


def test_only_what_was_scrubbed_in_training_is_scrubbed() -> None:
    assert prepared("  a@b.de\t10.0.0.1 ", ("ip",)) == "a@b.de <ip>"
    assert prepared("  a@b.de\t10.0.0.1 ", ()) == "a@b.de 10.0.0.1"


def test_a_served_model_needs_no_spec_for_it() -> None:
    script = "import sys, tailtune.predictors.prepare; print([m for m in sys.modules if 'tailtune.config' in m])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
