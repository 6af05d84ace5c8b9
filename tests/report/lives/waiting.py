"""Few labels and unknown prices: not yet."""

from __future__ import annotations

from tailtune.core.records import Decision
from tailtune.core.reports import (
    CurvePoint,
    Report,
)

from .. import economics, fixtures
from ..basics import estimate, paired, prompted, reports
from .common import EXAMPLES, RETRIEVAL, acc, failures, questions, report


def _untrained(why: str) -> Report:
    return fixtures.train_refused().model_copy(update={"reason": why})


def not_yet() -> dict[str, Report]:
    """Few labels, a curve that climbs, an endpoint without prices: no money is known, and nothing is trained."""
    ladder = fixtures.ladder()
    weaker = {"tfidf": 0.61, "zero_shot": 0.622, "prototypes": 0.70, "retrieval": 0.74, "probe": 0.77}
    rungs = tuple(
        rung.model_copy(
            update={
                "metrics": {name: estimate(weaker.get(rung.name, 0.041), 240) for name in ("accuracy", "macro_f1")},
                "fit_rows": min(rung.fit_rows, 640),
            }
        )
        for rung in ladder.rungs
    )
    curve = tuple(
        CurvePoint(rows=rows, quality=estimate(value, 240))
        for rows, value in ((80, 0.55), (160, 0.63), (320, 0.71), (640, 0.77))
    )
    curated = fixtures.curate().model_copy(
        update={
            "rows_read": 1100,
            "rows_kept": 1000,
            "dropped": {"near_duplicate": 61, "exact_duplicate": 39},
            "splits": {"train": 640, "dev": 240, "test": 120},
        }
    )
    thin = ladder.model_copy(
        update={"rungs": rungs, "curve": curve, "train_rows": 640, "dev_rows": 240, "unmeasured": ()}
    )
    pair = paired("lm_retrieval", "probe", 0.055, 0.05, 160)
    answers = report(
        (
            prompted("lm_zero_shot", acc(0.742), 240, 240, None, 410.0, "all rows", invalid={"no label": 9}, parts={}),
            prompted("lm_retrieval", acc(0.825), 160, 240, None, 455.0, "budget", pair, parts={}),
        ),
        "lm_retrieval",
        models={"small-1": "base"},
        dev_rows=240,
        not_needed={},
        unmeasured=("lm_strong: no model of role strong is declared", "lm_few_shot: the budget of $1 was reached"),
    )
    why = (
        f"{RETRIEVAL} answers 82.5 % right, short of 93.3 % (target 90.0 % with head-room); 640 good labels are fewer "
        "than 5,000, and the last doubling of labels still gained +6.0 points: label more rows first"
    )
    candidates = (
        economics.prompting(RETRIEVAL, 0.825, None, 300.0, 0.05),
        economics.tuned(0.90, 5000, 300.0, 0.05),
    )
    money = economics.compared(candidates, 300.0, 0.05, 300.0, unknown=("price of small-1",))
    decided = fixtures.decide().model_copy(
        update={
            "verdict": "not-yet",
            "provisional": True,
            "unmeasured": ("lm_strong: no model of role strong is declared",),
            "target": 0.90,
            "best_rung": "lm_retrieval",
            "reason": why,
            "train": Decision(yes=False, reason=why),
            "estimated_train_usd": None,
            "would_change": ("about 2,500 labelled rows, where the curve reaches 90 %", "measuring lm_strong"),
            "economics": money,
            "questions": questions(
                ("no", f"{RETRIEVAL} answers 82.5 % right; 93.3 % is needed to stay", {"retrieval_hit_share": 0.71}),
                ("no", "640 train rows after curation; the last doubling gained +6.0 points", {"train_rows": 640.0}),
            ),
        }
    )
    shared = failures(
        (
            ("context", "retrieval missed", 19, "Label rows of the classes below first."),
            ("unexplained", "unexplained", 9, "Declare a model of role strong to learn more."),
        ),
        EXAMPLES[1:],
    )
    diagnosed = fixtures.diagnose().model_copy(
        update={
            **shared,
            "rung": "lm_retrieval",
            "rows": 160,
            "unmeasured": ("whether a stronger model would do: none is declared",),
        }
    )
    return reports(curated, fixtures.validate(), thin, answers, diagnosed, decided, _untrained(why))
