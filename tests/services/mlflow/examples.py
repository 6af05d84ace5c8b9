"""Realistic reports of every stage, and a use case to publish them for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.core.records import Cost, Decision, Estimate, Latency, Row, Split
from tailtune.core.reports import (
    CalibrationBin,
    CandidateResult,
    ClassResult,
    Confusion,
    CurateReport,
    CurvePoint,
    DecideReport,
    DroppedExample,
    EpochResult,
    EvaluateReport,
    ExpectationResult,
    LadderReport,
    Paired,
    Question,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
)
from tailtune.report.mlflow import plan
from tailtune.services import store
from tailtune.services.mlflow import Tracker
from tailtune.tasks.use_case import UseCase, load_use_case

LABELS = ("billing_double_charge", "refund_status", "password_reset", "login_two_factor", "delivery_late")
MODEL_YAML = """\
task: classification
description: Route a customer's ticket to one of five categories.
data: {file: tickets.jsonl, text: text, label: label}
curate: {}
split: {}
validate: {}
ladder: {}
prompt: {}
targets: {accuracy: 0.95, p99_ms: 50}
value: {}
train: {rank: 16, epochs: 4}
evaluate: {}
register: {}
"""
_SAYINGS = {
    "billing_double_charge": ("charged twice", "billed two times", "double payment taken"),
    "refund_status": ("where is my refund", "refund still missing", "money not back yet"),
    "password_reset": ("reset my password", "forgot the password", "password link broken"),
    "login_two_factor": ("two factor code fails", "no code by sms", "authenticator rejects me"),
    "delivery_late": ("parcel is late", "delivery has not come", "where is my package"),
}


def make_case(root: Path, name: str = "support-tickets") -> UseCase:
    """A small project with curated rows in it."""
    folder = root / "models" / name
    folder.mkdir(parents=True)
    (root / "dvc.yaml").write_text(f"vars:\n  - use_cases:\n      {name}: {{answers: labels.yaml}}\nstages: {{}}\n")
    (root / "models" / "prices.yaml").write_text("as_of: 2026-11-01\ncpu_core_hour_usd: 0.04\n")
    (folder / "model.yaml").write_text(MODEL_YAML)
    (folder / "labels.yaml").write_text("".join(f"{label}: About {label}.\n" for label in LABELS))
    case = load_use_case(Paths(root), name)
    for split, copies in (("train", 8), ("dev", 2), ("test", 3)):
        store.write_rows(case.paths.rows(split), [make_rows(split, copies)])  # type: ignore[arg-type]
    return case


def make_rows(split: Split, copies: int) -> list[Row]:
    rows = []
    for i in range(copies):
        for label, sayings in _SAYINGS.items():
            text = f"{sayings[i % 3]} since day {i} ({split})"
            rows.append(Row(f"{split}-{label}-{i}", text, label, f"tickets.jsonl:{len(rows) + 1}", split))
    return rows


def estimate(value: float, half: float = 0.012, rows: int = 1180) -> Estimate:
    return Estimate(value=value, low=value - half, high=min(1.0, value + half), rows=rows)


def latency(p50: float) -> Latency:
    return Latency(p50_ms=p50, p95_ms=p50 * 1.3, p99_ms=p50 * 1.6, mean_ms=p50 * 1.05, rows=200)


_RUNGS = (
    ("majority", "Majority class", 0.043, 0.002, 0.01, 0.1, 8290),
    ("tfidf", "TF-IDF + linear", 0.874, 0.861, 0.4, 3.1, 8290),
    ("zero_shot", "Zero-shot by label description", 0.612, 0.588, 5.2, 0.4, 0),
    ("prototypes", "Few-shot prototypes", 0.781, 0.769, 5.2, 1.2, 500),
    ("retrieval", "Retrieval, nearest labelled rows", 0.889, 0.881, 5.9, 9.3, 8290),
    ("probe", "Frozen encoder + linear probe", 0.907, 0.898, 5.3, 14.2, 8290),
)


def _stamp(case: UseCase, stage: str, at: str, wall: float, usd: float | None = 0.001) -> dict[str, object]:
    return {
        "use_case": case.name,
        "stage": stage,
        "finished_at": at,
        "rows_digest": "8c1f0e2d3b4a5968",
        "spec_digest": f"5pec{stage:0<12}"[:16],
        "cost": Cost(wall_s=wall, cpu_s=wall * 1.8, peak_memory_mb=612.0, usd=usd),
    }


def curate(case: UseCase, at: str = "2026-11-20T10:00:00+00:00") -> CurateReport:
    return CurateReport(
        **_stamp(case, "curate", at, 4.2),
        rows_read=12_000,
        rows_kept=11_210,
        dropped={"near-duplicate": 702, "empty": 41, "too long": 47},
        dropped_examples=(DroppedExample(origin="tickets.jsonl:88", reason="empty"),),
        changed={"email": 311, "phone": 95},
        splits={"train": 8290, "dev": 1180, "test": 1740},
        labels=dict.fromkeys(LABELS, 2242),
        test_file=False,
    )


def validate(case: UseCase, passed: bool = True, at: str = "2026-11-20T10:00:20+00:00") -> ValidateReport:
    return ValidateReport(
        **_stamp(case, "validate", at, 6.0),
        rows_read=11_210,
        passed=passed,
        expectations=(
            ExpectationResult(
                name="expect_column_values_to_be_in_set",
                subject="label",
                meaning="Every label is one of the declared set.",
                passed=passed,
                observed="0 rows" if passed else "3 rows with `biling`",
                bad_rows=0 if passed else 3,
                bad_origins=() if passed else ("tickets.jsonl:12", "tickets.jsonl:99"),
            ),
        ),
        docs="build/support-tickets/validate/docs/index.html",
    )


def ladder(case: UseCase, at: str = "2026-11-20T10:01:00+00:00", shift: float = 0.0) -> LadderReport:
    return LadderReport(
        **_stamp(case, "ladder", at, 61.0),
        train_rows=8290,
        dev_rows=1180,
        encode_rows_per_s=410.0,
        rungs=tuple(
            RungResult(
                name=name,
                title=title,
                metrics={
                    "accuracy": estimate(accuracy + shift, 0.018),
                    "macro_f1": estimate(macro_f1 + shift, 0.02),
                },
                latency=latency(p50),
                usd_per_1000=p50 / 3_600 * 0.08,
                fit_s=fit_s,
                fit_rows=fit_rows,
            )
            for name, title, accuracy, macro_f1, p50, fit_s, fit_rows in _RUNGS
        ),
        curve=tuple(
            CurvePoint(rows=rows, quality=estimate(value, 0.02))
            for rows, value in ((1036, 0.842), (2072, 0.871), (4145, 0.893), (8290, 0.907))
        ),
        unmeasured=("prompted language models (no endpoint is declared)",),
    )


def decide(case: UseCase, at: str = "2026-11-20T10:02:10+00:00") -> DecideReport:
    return DecideReport(
        **_stamp(case, "decide", at, 0.4),
        verdict="fine-tune",
        reason="Frozen encoder + linear probe reaches 90.7 %, short of 96.7 %; 8,290 labels, 0.01 USD expected.",
        provisional=True,
        unmeasured=("prompted language models (no endpoint is declared)",),
        would_change=("A prompted model at 96.7 % or better would make it `stay`.",),
        questions=(
            Question(question="Can more context solve it?", answer="no", evidence="best rung 90.7 %"),
            Question(question="Are there 5,000+ good labels?", answer="yes", evidence="8,290 rows"),
        ),
        best_rung="probe",
        target=0.95,
        train=Decision(yes=True, reason="a fine-tune can pay"),
        estimated_train_usd=0.008,
    )


def train(case: UseCase, at: str = "2026-11-20T10:05:00+00:00", trained: bool = True) -> TrainReport:
    if not trained:
        return TrainReport(
            **_stamp(case, "train", at, 0.2), trained=False, reason="The probe meets the target with head-room."
        )
    return TrainReport(
        **_stamp(case, "train", at, 140.0),
        trained=True,
        reason="The decision lets it: a fine-tune can pay.",
        train_rows=8290,
        dev_rows=1180,
        trainable_parameters=884_736,
        epochs=tuple(
            EpochResult(
                epoch=i, train_loss=2.1 / i**1.3, dev_loss=1.4 / i, dev_quality=0.88 + 0.016 * i, rows_per_s=251.0
            )
            for i in range(1, 5)
        ),
        best_epoch=4,
        rows_per_s=251.0,
        precision="bf16",
        temperature=1.21,
    )


def evaluate(case: UseCase, at: str = "2026-11-20T10:06:00+00:00", shift: float = 0.0) -> EvaluateReport:
    results = [("lora", "LoRA fine-tune", 0.943, 0.938, 6.1), *((n, t, a, f, p) for n, t, a, f, p, _, _ in _RUNGS)]
    return EvaluateReport(
        **_stamp(case, "evaluate", at, 21.0),
        test_rows=1740,
        candidates=tuple(
            CandidateResult(
                name=name,
                title=title,
                metrics={
                    "accuracy": estimate(min(0.99, accuracy + shift), 0.011, 1740),
                    "macro_f1": estimate(min(0.99, macro_f1 + shift), 0.013, 1740),
                },
                ece=0.021,
                latency=latency(p50),
                usd_per_1000=p50 / 3_600 * 0.08,
            )
            for name, title, accuracy, macro_f1, p50 in results
        ),
        comparison=Paired(
            first="lora",
            second="probe",
            difference=Estimate(value=0.036, low=0.024, high=0.048, rows=1740),
            only_first_right=91,
            only_second_right=28,
            p=4.1e-9,
        ),
        winner="lora",
        winner_reason="lora is 3.6 points better than probe (2.4 to 4.8).",
        per_class=tuple(
            ClassResult(label=label, rows=348, precision=0.94, recall=0.93, f1=0.9 + 0.01 * i, f1_other=0.9)
            for i, label in enumerate(LABELS)
        ),
        confusions=(
            Confusion(expected=LABELS[0], answered=LABELS[1], rows=17),
            Confusion(expected=LABELS[3], answered=LABELS[2], rows=11),
            Confusion(expected=LABELS[1], answered=LABELS[0], rows=6),
            Confusion(expected=LABELS[4], answered=LABELS[1], rows=2),
        ),
        calibration=tuple(
            CalibrationBin(confidence=0.3 + 0.05 * i, accuracy=0.27 + 0.051 * i, rows=124) for i in range(15)
        ),
        failures=99,
    )


def everything(case: UseCase) -> tuple[Report, ...]:
    return (curate(case), validate(case), ladder(case), decide(case), train(case), evaluate(case))


def make_life(
    case: UseCase,
    winner: str = "tfidf",
    shift: float = 0.0,
    at: str = "2026-11-20T10:06:00+00:00",
    weak: bool = False,
) -> None:
    """Real, tiny rungs on disk and the reports up to evaluation, so that `register` can run.

    Args:
        case: Whose.
        winner: The rung that evaluation names.
        shift: Of the reported figures.
        at: When evaluation ended.
        weak: Whether the winner has learnt from wrong labels, so that any other is better.
    """
    from tailtune.tasks import saved
    from tailtune.tasks.classification.rungs import ClassifyContext

    embed = None
    if winner == "probe":
        from tailtune.predictors.encoder import Encoder

        embed = Encoder.load().embed
    train_rows = store.read_rows(case.paths.rows("train"), "train", case.name)
    known = embed or (lambda _texts: None)
    labels = case.answers.labels  # type: ignore[attr-defined]
    if weak:
        following = dict(zip(labels, [*labels][1:] + [*labels][:1], strict=True))
        train_rows = [replace(row, label=following[row.label]) for row in train_rows]
    context = ClassifyContext(rows=train_rows, labels=labels, embed=known, shots=5, neighbours=5)  # type: ignore[arg-type]
    for name in ("majority", winner):
        folder = case.paths.stage("ladder") / "rungs" / name
        folder.mkdir(parents=True, exist_ok=True)
        saved.RUNG_KINDS[name].load_class().fit(context).save(folder)
        saved.write_card(folder, saved.RUNG_KINDS[name], case.spec.curate.scrub_pii)
    reports: list[Report] = [report for report in everything(case) if report.stage != "evaluate"]
    result = evaluate(case, at, shift)
    reports.append(result.model_copy(update={"winner": winner, "winner_reason": f"{winner} answers best."}))
    for report in reports:
        store.write_report(case.paths.report(report.stage), report)


def stamped(case: UseCase, report: Report, at: str) -> Report:
    """What the runner does to a stage's report before it is published."""
    return report.model_copy(update=_stamp(case, report.stage, at, 3.0))


def publish(tracker: Tracker, report: Report) -> str:
    """Publish a report as the runner does. Returns its run's id."""
    failures = tracker.case.paths.stage("evaluate") / "failures.jsonl"
    return tracker.publish(report, plan(report, tracker.case.spec, failures))
