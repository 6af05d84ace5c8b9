"""The shipped use case against the truth: how right the answers on test are once the wrong labels are put right.

About 3 % of the sample's field labels are wrong on purpose. `tailtune run insurance-claims` is scored against labels as
they are given, as it would be at a user's; this holds the same answers against what the generator knows.

    tailtune sample insurance-claims && tailtune run insurance-claims
    python benchmarks/extraction_claims.py
"""

import json
import sys

from tailtune.config.paths import Paths
from tailtune.core.measures import MEASURES
from tailtune.core.records import Answer, Row, Span
from tailtune.core.reports import EvaluateReport
from tailtune.services import store
from tailtune.services.sources import RawRow
from tailtune.tasks import saved
from tailtune.tasks.extraction.annotate import RawLabel
from tailtune.tasks.use_case import load_use_case

NAME = "insurance-claims"


def true_rows(paths: Paths) -> list[Row]:
    """Test rows with their true labels, spans moved into the curated text."""
    case = load_use_case(paths, NAME)
    claims = (case.paths.data / case.spec.data.file).read_text(encoding="utf-8").splitlines()
    truth = (paths.data / "truth" / f"{NAME}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = []
    for row in store.read_rows(case.paths.rows("test"), "test", NAME, case.task.parse_label):
        line = int(row.origin.rpartition(":")[2]) - 1
        true = json.loads(truth[line])
        spans = tuple(Span(one["start"], one["end"], one["label"]) for one in true["entities"])
        raw = RawRow(json.loads(claims[line])["text"], RawLabel(spans, true["fields"]), row.origin)
        made = case.task.prepare_row(raw, raw.text, ())
        assert made.text == row.text and not made.reason, row.origin
        rows.append(Row(row.id, row.text, made.label, row.origin, "test", row.group))
    return rows


def main() -> int:
    paths = Paths.find()
    case = load_use_case(paths, NAME)
    report_file = case.paths.report("evaluate")
    if not report_file.is_file():
        print(f"skipped: {NAME} has not been run here (tailtune run {NAME})")
        return 0
    report = store.read_report(report_file, EvaluateReport, NAME)
    rows = true_rows(paths)
    lines = (case.paths.stage("evaluate") / "test_answers.jsonl").read_text(encoding="utf-8").splitlines()
    answers = {answer["id"]: answer for answer in map(json.loads, lines)}
    curated = store.read_rows(case.paths.rows("test"), "test", NAME, case.task.parse_label)
    wrong = sum(row.label.values != noisy.label.values for row, noisy in zip(rows, curated, strict=True))
    print(f"{len(rows):,} test rows, {wrong:,} of them with a wrong field ({wrong / len(rows):.1%})")
    names = ("field_f1", "macro_f1", "exact_match", "schema_valid")
    print(
        f"{'':30}" + "".join(f"{MEASURES[name].title + side:>30}" for name in names[:3] for side in (" given", " true"))
    )
    for candidate in report.candidates:
        answered = [Answer(answers[row.id][candidate.name], 1.0) for row in rows]
        found = case.task.score(rows, answered).metrics
        cells = []
        for name in names[:3]:
            for one in (candidate.metrics[name], found[name]):
                cells.append(f"{one.value:.2%} ({one.low:.2%}–{one.high:.2%})")
        print(f"{saved.title(candidate.name):30}" + "".join(f"{cell:>30}" for cell in cells))
        print(f"{'':30}schema-valid {found['schema_valid'].value:.2%}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
