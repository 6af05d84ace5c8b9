"""What is decided before money is spent."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailtune.core.money import Usd
from tailtune.core.records import Decision, Record
from tailtune.core.reports.common import Report
from tailtune.core.reports.economics import Economics

Verdict = Literal["stay", "fine-tune", "not-yet"]


class Question(Record):
    """One per question of the mission: what was asked, what was measured, what it says."""

    question: str
    answer: Literal["yes", "no", "unmeasured"]
    evidence: str
    figures: dict[str, float] = Field(default_factory=dict, description="The evidence as numbers, name with unit.")


class Surroundings(Record):
    """One per decision: what it was made of that no stage reads from a file, as it was then. Evaluation goes by it."""

    declared_days: float | None = Field(None, description="Days between two changes of behaviour, as declared.")
    seen_days: float | None = Field(None, description="The same as git shows it; null when it shows too little.")
    kept_gb: float = Field(0.0, ge=0, description="10⁹ bytes of rows and derived files.")


class DecideReport(Report):
    """One per decision taken before training money is spent."""

    verdict: Verdict
    reason: str
    provisional: bool
    unmeasured: tuple[str, ...] = ()
    would_change: tuple[str, ...] = Field((), description="What would change the verdict, as sentences.")
    questions: tuple[Question, ...] = ()
    best_rung: str
    metric: str = Field("accuracy", description="The measure that the target is about.")
    target: float
    train: Decision = Field(description="Whether the train stage may spend.")
    estimated_train_usd: Usd | None = None
    economics: Economics | None = Field(None, description="Null when no volume is declared.")
    surroundings: Surroundings | None = Field(None, description="As of finished_at; null in old reports.")


class FinalVerdict(Record):
    """One per evaluation: the verdict once the fine-tune, if there is one, was measured on test."""

    verdict: Verdict
    reason: str
    provisional: bool
    would_change: tuple[str, ...] = ()
    economics: Economics | None = None
