"""A use case whose registered version answers, and whose answers are logged day by day."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from services.mlflow import examples
from services.mlflow.versions import register
from tasks.classification import contract

from tailtune.config.settings import Settings
from tailtune.core.days import DAY_US
from tailtune.core.progress import Silent
from tailtune.core.records import Row, Split
from tailtune.lifecycle.context import Context
from tailtune.services import store
from tailtune.services.mlflow import connect
from tailtune.services.prediction_log import LoggedPrediction, Spool
from tailtune.tasks.answerer import Answerer
from tailtune.tasks.use_case import load_use_case
from worlds import stores

NAME = "support-tickets"
FIRST_DAY = 20_000
"""Days since 1970: 2024-10-04."""
STRANGE = "hologram antenna satellite orbit beacon"


def texts_of(label: str, rows: int, seed: int = 0) -> list[str]:
    """Texts of a class, drawn by chance: two seeds are two samples of the same kind."""
    return _drawn(contract.WORDS[label].split(), "please, number", rows, f"{label} {seed}")


def strange_texts(rows: int, seed: int = 0) -> list[str]:
    """Texts of a kind that nobody has seen."""
    return _drawn(STRANGE.split(), "over the roof", rows, f"strange {seed}")


def _drawn(words: Sequence[str], end: str, rows: int, seed: str) -> list[str]:
    dice = random.Random(seed)
    return [f"{dice.choice(words)} {dice.choice(words)} {end} {dice.randint(1000, 9999)}" for _ in range(rows)]


class WatchedCase:
    """One per test.

    Attributes:
        version: The champion's number.
    """

    def __init__(self, root: Path, factory: pytest.TempPathFactory, probe: Path) -> None:
        case = examples.make_case(root, NAME)
        lines = [f"{label}: {about}.\n" for label, about in contract.LABELS.items()]
        (case.paths.folder / "labels.yaml").write_text("".join(lines))
        self.case = load_use_case(case.paths.project, NAME)
        splits: tuple[tuple[Split, int], ...] = (("dev", 1000), ("test", 2000))
        for split, start in splits:
            store.write_rows(self.case.paths.rows(split), [_rows(split, start)])
        stores.give(factory, self.case.paths.project.mlflow_store)
        self.settings = Settings(tracking_uri=f"sqlite:///{self.case.paths.project.mlflow_store / 'mlflow.db'}")
        self.tracker = connect(self.settings.tracking_uri or "", self.case)
        self.version = register(self.tracker, probe, "champion", model=NAME)[0]
        self._probe = probe
        self._answerer = Answerer(probe, self.version)
        self._logged = 0

    def replace_version(self) -> None:
        """Another version is champion, and answers from now on."""
        self.version = register(self.tracker, self._probe, "champion", model=NAME)[0]
        self._answerer = Answerer(self._probe, self.version)

    @property
    def context(self) -> Context:
        return Context(self.case, self.settings, Silent(), self.tracker, "monitor")

    def answer(self, text: str) -> str:
        """The version's answer."""
        return str(self._answerer.answer(text).value)

    def log(
        self,
        day: int,
        texts: Sequence[str],
        keep_text: bool = True,
        latency_ms: float = 2.0,
        request_ids: Sequence[str] | None = None,
    ) -> list[str]:
        """Answer texts on a day, and log that as a server does. Returns the request ids, new ones by default."""
        spool = Spool(self.settings.spool_folder(self.case.paths.project) / NAME)
        ids = []
        for place, text in enumerate(texts):
            seen = self._answerer.answer(text)
            self._logged += 1
            ids.append(f"r{self._logged}" if request_ids is None else request_ids[place])
            assert spool.append(
                [
                    LoggedPrediction(
                        at_us=day * DAY_US + place * 1_000_000,
                        use_case=NAME,
                        version=self.version,
                        route="model",
                        request_id=ids[-1],
                        latency_ms=latency_ms,
                        text=seen.text if keep_text else None,
                        text_hash=None if keep_text else "h",
                        answer=seen.value,
                        confidence=math.nan if seen.confidence is None else seen.confidence,
                        likeliest=seen.likeliest,
                        embedding=seen.embedding if keep_text else None,
                        novelty=seen.novelty,
                        unknown_share=seen.unknown_share,
                        tokens=seen.tokens,
                    )
                ]
            )
        spool.close()
        return ids

    def usual_day(self, day: int, rows: int = 60) -> None:
        self.log(
            day,
            [text for label in contract.WORDS for text in texts_of(label, rows // 3, day)],
        )


def _rows(split: Split, start: int) -> list[Row]:
    made = []
    for label in contract.WORDS:
        for text in texts_of(label, 60, start):
            made.append(Row(f"{split}{len(made)}", text, label, f"tickets.jsonl:{len(made) + 1}", split))
    return made
