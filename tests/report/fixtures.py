"""Realistic reports of one use case, whole and in parts, for tests and for looking at the pages."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tailtune.core.records import Decision, Estimate
from tailtune.core.reports import (
    CalibrationBin,
    CandidateResult,
    ClassResult,
    Confusion,
    CurateReport,
    CurvePoint,
    DecideReport,
    DiagnoseReport,
    DroppedExample,
    EpochResult,
    EvaluateReport,
    ExpectationResult,
    ExportReport,
    LadderReport,
    Paired,
    PromptReport,
    Question,
    RegisterReport,
    Report,
    RungResult,
    TrainReport,
    ValidateReport,
)

from . import exports
from .basics import LOCAL, NAN, cost, estimate, latency, reports

__all__ = ["NAN", "cost", "estimate", "latency", "reports"]
CASE = "support-tickets"
AREAS = ("billing", "access", "data export", "subscription", "mobile app", "delivery", "account", "security")
KINDS = ("refund", "question", "error", "cancel", "change", "missing", "slow")
LABELS = [f"{area}: {kind}" for area in AREAS for kind in KINDS][:52]
SCORES = {  # name: title, accuracy on dev, macro-F1, p50 ms, usd per 1,000, fit seconds, labels needed
    "majority": ("Majority class", 0.041, 0.0015, 0.002, 0.00000005, 0.0, 8123),
    "tfidf": ("TF-IDF + linear", 0.864, 0.851, 0.41, 0.00001, 2.3, 8123),
    "zero_shot": ("Zero-shot by label description", 0.622, 0.604, 5.1, 0.00013, 0.4, 0),
    "prototypes": ("Few-shot prototypes", 0.791, 0.778, 5.2, 0.00013, 3.1, 520),
    "retrieval": ("Retrieval, nearest labelled rows", 0.904, 0.893, 6.3, 0.00016, 21.4, 8123),
    "probe": ("Frozen encoder + linear probe", 0.913, 0.905, 5.3, 0.00013, 24.9, 8123),
}
LORA = "LoRA fine-tune"
WHY_TRAIN = (
    "Frozen encoder + linear probe reaches 91.3 % (89.6–93.0), short of 96.7 % (target 95.0 % with head-room); "
    "8,123 good labels can train an adapter for about $0.0041"
)
WHY_STAY = (
    "Retrieval, nearest labelled rows reaches 90.4 % (88.6–92.2): at or above 90.0 %, "
    "the target 85.0 % with head-room 1.5"
)


def _stamp(minute: int) -> dict[str, str]:
    return {"use_case": CASE, "finished_at": f"2026-11-23T17:{minute:02d}:07+00:00"}


def curate() -> CurateReport:
    dropped = {"near_duplicate": 689, "exact_duplicate": 214, "empty": 118, "too_long": 61, "too_short": 45}
    examples = [
        DroppedExample(origin="tickets.jsonl:812", reason="near_duplicate", detail="like tickets.jsonl:77"),
        DroppedExample(origin="tickets.jsonl:1204", reason="empty"),
        DroppedExample(origin="tickets.jsonl:9", reason="too_long", detail="4,812 characters, at most 2,000"),
    ]
    return CurateReport(
        **_stamp(31),
        stage="curate",
        cost=cost(6.2),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="51aa07c3e1b2d490",
        rows_read=12000,
        rows_kept=10873,
        dropped=dropped,
        dropped_examples=tuple(examples),
        changed={"email": 412, "phone": 188, "unicode": 903, "whitespace": 2210},
        splits={"train": 8123, "dev": 1085, "test": 1665},
        labels={label: 420 - 7 * place for place, label in enumerate(LABELS)},
        test_file=False,
    )


def expectations() -> tuple[ExpectationResult, ...]:
    def expected(name: str, subject: str, meaning: str, observed: str = "") -> ExpectationResult:
        return ExpectationResult(name=name, subject=subject, meaning=meaning, passed=True, observed=observed)

    return (
        expected("expect_table_columns_to_match_set", "table", "The columns are id, text, label, origin, group."),
        expected("expect_column_values_to_not_be_null", "text", "Every row has a text.", "0 empty"),
        expected("expect_column_values_to_be_unique", "id", "No row stands twice.", "10,873 of 10,873"),
        expected("expect_column_values_to_be_in_set", "label", "Every label is in labels.yaml.", "52 labels"),
        expected("expect_column_value_lengths_to_be_between", "text", "Texts have 3 to 2,000 characters.", "7–1,996"),
        expected("expect_label_rows_to_be_at_least", "label", "Every label has 8 train rows or more.", "fewest 21"),
        expected("expect_no_leakage", "splits", "No test row is (nearly) also a train row.", "0 of 1,665"),
    )


def validate() -> ValidateReport:
    return ValidateReport(
        **_stamp(32),
        stage="validate",
        cost=cost(9.8),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="aa10b2c3d4e5f607",
        rows_read=10873,
        passed=True,
        expectations=expectations(),
        docs="build/support-tickets/validate/docs/index.html",
    )


def validate_failed() -> ValidateReport:
    origins = tuple(f"tickets.jsonl:{line}" for line in (812, 901, 1377, 4020, 8811))
    unknown = ExpectationResult(
        name="expect_column_values_to_be_in_set",
        subject="label",
        meaning="Every label is in labels.yaml.",
        passed=False,
        observed="'biling: refund', 'acces: error'",
        bad_rows=37,
        bad_origins=origins,
    )
    few = ExpectationResult(
        name="expect_label_rows_to_be_at_least",
        subject="label",
        meaning="Every label has 8 train rows or more.",
        passed=False,
        observed="mobile app: slow has 3",
        bad_rows=3,
        bad_origins=origins[:3],
    )
    good = tuple(e for e in expectations() if e.name not in (unknown.name, few.name))
    return validate().model_copy(update={"passed": False, "expectations": (*good, unknown, few)})


def ladder() -> LadderReport:
    rungs = tuple(
        RungResult(
            name=name,
            ignores_text=name in ("majority", "blank"),
            title=title,
            metrics={"accuracy": estimate(accuracy, 1085), "macro_f1": estimate(f1, 1085)},
            latency=latency(p50, LOCAL if p50 > 1 else None),
            usd_per_1000=usd,
            fit_s=fit_s,
            fit_rows=fit_rows,
        )
        for name, (title, accuracy, f1, p50, usd, fit_s, fit_rows) in SCORES.items()
    )
    curve = tuple(
        CurvePoint(rows=rows, quality=estimate(value, 1085))
        for rows, value in ((1015, 0.802), (2030, 0.856), (4061, 0.891), (8123, 0.913))
    )
    return LadderReport(
        **_stamp(34),
        stage="ladder",
        cost=cost(71.4),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="0b4417aa5c23ef19",
        train_rows=8123,
        dev_rows=1085,
        encode_rows_per_s=1180.0,
        rungs=rungs,
        curve=curve,
        unmeasured=("prompted language model: no endpoint is configured",),
    )


NO_MODEL = "prompted language models (none is declared in prompt.models)"


def prompt() -> PromptReport:
    """No model is declared: nothing is prompted."""
    digest = {"rows_digest": "9f2c51e07ab34d18", "spec_digest": "11aa22bb33cc44dd"}
    return PromptReport(**_stamp(34), **digest, stage="prompt", cost=cost(0.3), dev_rows=1000, unmeasured=(NO_MODEL,))


def diagnose() -> DiagnoseReport:
    digest = {"rows_digest": "9f2c51e07ab34d18", "spec_digest": "55ee66ff77008899"}
    return DiagnoseReport(**_stamp(34), **digest, stage="diagnose", cost=cost(0.3))


def decide() -> DecideReport:
    questions = (
        Question(
            question="Can more context solve it?",
            answer="unmeasured",
            evidence="best local context rung: Retrieval, nearest labelled rows 90.4 % (88.6–92.2); "
            "96.7 % is needed to stay; prompted models were not measured",
        ),
        Question(
            question="Are there 5,000 or more good labels?",
            answer="yes",
            evidence="8,123 train rows after curation; the curve still rises 2.2 points a doubling",
        ),
        Question(
            question="Is latency critical, and is the model the slow part?",
            answer="yes",
            evidence="target 10 ms; the encoder takes 5.1 of 5.3 ms",
        ),
        Question(question="Is the format narrow?", answer="yes", evidence="one of 52 labels, always valid"),
        Question(question="How often must behaviour change?", answer="unmeasured", evidence="no cadence is declared"),
    )
    return DecideReport(
        **_stamp(34),
        stage="decide",
        cost=cost(0.4),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="77c0de11aa00bb22",
        verdict="fine-tune",
        provisional=True,
        reason=WHY_TRAIN,
        unmeasured=("prompted language model: no endpoint is configured",),
        would_change=(
            "A prompted language model at 96.7 % or more on the same rows would make it stay.",
            "A learning curve that rises by less than 0.5 points a doubling would make it not yet.",
        ),
        questions=questions,
        best_rung="probe",
        target=0.95,
        train=Decision(yes=True, reason=WHY_TRAIN),
        estimated_train_usd=0.0041,
    )


def decide_stay() -> DecideReport:
    """The cheapest rung that does, which is not the most accurate one."""
    return decide().model_copy(
        update={
            "verdict": "stay",
            "provisional": False,
            "unmeasured": (),
            "target": 0.85,
            "best_rung": "retrieval",
            "reason": WHY_STAY,
            "train": Decision(yes=False, reason=WHY_STAY),
        }
    )


def train() -> TrainReport:
    accuracy = (0.889, 0.921, 0.934, 0.941, 0.939)
    epochs = tuple(
        EpochResult(epoch=n, train_loss=2.1 / n, dev_loss=0.9 / n + 0.15, dev_quality=value, rows_per_s=271.0 - n)
        for n, value in enumerate(accuracy, start=1)
    )
    return TrainReport(
        **_stamp(37),
        stage="train",
        cost=cost(151.0),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="d00df00d12345678",
        trained=True,
        reason="a fine-tune can pay",
        train_rows=8123,
        dev_rows=1085,
        trainable_parameters=1_346_612,
        epochs=epochs,
        best_epoch=4,
        rows_per_s=268.4,
        precision="bf16",
        temperature=1.21,
    )


def train_refused() -> TrainReport:
    return TrainReport(
        **_stamp(37), stage="train", cost=cost(0.2), trained=False, reason="a cheaper rung meets the target"
    )


def export(with_lora: bool = True) -> ExportReport:
    """The fine-tune passes with int8 weights; the probe only once a part of them is float32."""
    probe = (exports.parity("int8", 0.987, 0.001, 1085, passed=False), exports.parity("int8-mixed", 0.995, 0.0, 1085))
    tuned = exports.exported("lora", LORA, exports.parity("int8", 0.994, 0.001, 1085))
    best = exports.exported("probe", SCORES["probe"][0], *probe)
    models = (tuned, best) if with_lora else (best,)
    return ExportReport(**_stamp(37), stage="export", cost=cost(21.0), rows_digest="9f2c51e07ab34d18", models=models)


def _candidates(with_lora: bool) -> tuple[CandidateResult, ...]:
    def candidate(
        name: str, title: str, accuracy: float, f1: float, p50: float, usd: float, ece: float
    ) -> CandidateResult:
        return CandidateResult(
            name=name,
            ignores_text=name in ("majority", "blank"),
            title=title,
            metrics={"accuracy": estimate(accuracy, 1665), "macro_f1": estimate(f1, 1665)},
            ece=ece,
            latency=latency(p50, LOCAL) if name in ("lora", "probe", "retrieval") else None,
            usd_per_1000=usd,
        )

    tuned = [candidate("lora", LORA, 0.943, 0.938, 5.4, 0.00014, 0.021)] if with_lora else []
    rungs = [
        candidate(name, title, accuracy - 0.003, max(f1 - 0.003, 0.001), p50, usd, NAN if name == "majority" else 0.06)
        for name, (title, accuracy, f1, p50, usd, _, _) in SCORES.items()
    ]
    return (*tuned, *rungs)


def evaluate() -> EvaluateReport:
    per_class = tuple(
        ClassResult(
            label=label,
            rows=64 - place,
            precision=0.99 - 0.004 * (51 - place),
            recall=0.985 - 0.005 * (51 - place),
            f1=0.988 - 0.0045 * (51 - place),
            f1_other=0.96 - 0.0055 * (51 - place),
        )
        for place, label in enumerate(LABELS)
    )
    confusions = tuple(Confusion(expected=LABELS[n], answered=LABELS[(n * 7 + 3) % 52], rows=11 - n) for n in range(9))
    calibration = tuple(
        CalibrationBin(confidence=c, accuracy=min(c * 0.98 + 0.01 * math.sin(9 * c), 1.0), rows=111)
        for c in (0.31, 0.47, 0.58, 0.69, 0.77, 0.84, 0.89, 0.92, 0.94, 0.96, 0.97, 0.98, 0.985, 0.991, 0.997)
    )
    comparison = Paired(
        first="lora",
        second="probe",
        difference=Estimate(value=0.033, low=0.021, high=0.045, rows=1665),
        only_first_right=88,
        only_second_right=33,
        p=0.00000061,
    )
    return EvaluateReport(
        **_stamp(38),
        stage="evaluate",
        cost=cost(19.0),
        rows_digest="9f2c51e07ab34d18",
        spec_digest="1234567890abcdef",
        test_rows=1665,
        candidates=_candidates(True),
        comparison=comparison,
        winner="lora",
        winner_reason="the paired interval +2.1 to +4.5 points lies above the smallest gain worth having, 0.5 points",
        per_class=per_class,
        confusions=confusions,
        calibration=calibration,
        failures=95,
    )


def evaluate_stay() -> EvaluateReport:
    return evaluate().model_copy(
        update={
            "candidates": _candidates(False),
            "comparison": None,
            "winner": "retrieval",
            "winner_reason": "the best cheaper rung; nothing was trained",
            "per_class": tuple(c.model_copy(update={"f1_other": NAN}) for c in evaluate().per_class),
        }
    )


def evaluate_lost() -> EvaluateReport:
    comparison = Paired(
        first="lora",
        second="probe",
        difference=Estimate(value=0.002, low=-0.008, high=0.012, rows=1665),
        only_first_right=41,
        only_second_right=38,
        p=0.82,
    )
    return evaluate().model_copy(
        update={"comparison": comparison, "winner": "probe", "winner_reason": "the gain may be chance"}
    )


def register() -> RegisterReport:
    return RegisterReport(
        **_stamp(39),
        stage="register",
        cost=cost(7.7),
        model=CASE,
        version="3",
        run_id="8f3a2b1c9d0e4f5a8b7c6d5e4f3a2b1c",
        uri="models:/support-tickets/3",
        aliases=("champion", "challenger"),
        champion_version="3",
        promotion=Decision(yes=True, reason="better than version 2 by +1.2 points (+0.4 to +2.0) on the same rows"),
        comparison=None,
        winner="lora",
        page="build/support-tickets/register/decision.html",
    )


def whole() -> dict[str, Report]:
    return reports(
        curate(), validate(), ladder(), prompt(), diagnose(), decide(), train(), export(), evaluate(), register()
    )


def stay() -> dict[str, Report]:
    kept = register().model_copy(update={"winner": "retrieval"})
    return reports(
        curate(),
        validate(),
        ladder(),
        prompt(),
        diagnose(),
        decide_stay(),
        train_refused(),
        export(False),
        evaluate_stay(),
        kept,
    )


def stopped() -> dict[str, Report]:
    return reports(curate(), validate_failed())


def parts() -> Iterable[dict[str, Report]]:
    """Every prefix of the whole story, from nothing to everything."""
    found = list(whole().values())
    return [reports(*found[:length]) for length in range(len(found) + 1)]
