"""What a stage may read, by name. Anything its row of the table does not name is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from tailtune.config.prices import PriceSpec, load_prices
from tailtune.core.errors import UndeclaredInputError
from tailtune.core.records import Row, Split
from tailtune.core.reports import REPORTS, Report, Surroundings
from tailtune.judge.economics import seen_days
from tailtune.lifecycle.table import BY_NAME
from tailtune.services import store, versions
from tailtune.tasks.use_case import UseCase

R = TypeVar("R", bound=Report)
_GB, _DAY_S = 1e9, 86_400


@dataclass(frozen=True, slots=True)
class Provenance:
    """One per registration.

    Attributes:
        git_commit: None outside of git.
        git_dirty: Whether code, declarations or pins differ from the commit; None outside of git.
        data_hash: Pin of data/; None when it is not pinned.
        test_file_hash: Of the user's test file; empty without one.
    """

    git_commit: str | None
    git_dirty: bool | None
    data_hash: str | None
    test_file_hash: str


class Inputs:
    """One per stage run: the files that the stage's row of the table names, and no others.

    So the table is the only truth about what makes a stage stale: a stage cannot read what DVC does not watch.

    Args:
        case: The use case.
        stage: Name of the stage.
    """

    def __init__(self, case: UseCase, stage: str) -> None:
        self._case = case
        self._stage = stage
        self._rows: dict[Split, list[Row]] = {}
        known = {"${key}": case.name, "${item.answers}": case.spec.ANSWERS}
        self._declared = []
        for pattern in BY_NAME[stage].reads if stage in BY_NAME else ():
            for placeholder, value in known.items():
                pattern = pattern.replace(placeholder, value)
            self._declared.append(case.paths.project.root / pattern)

    def rows(self, split: Split) -> list[Row]:
        """The curated rows of a split, in the order of the file; read once.

        Raises:
            MissingInputError: Curation has not run.
        """
        if split not in self._rows:
            path = self._allowed(self._case.paths.rows(split))
            self._rows[split] = store.read_rows(path, split, self._case.name, self._case.task.parse_label)
        return self._rows[split]

    @cached_property
    def must_not_fail(self) -> list[Row]:
        """Rows that every predictor must answer right, as validation passed them; none where none are declared.

        Raises:
            MissingInputError: Validation has not passed.
        """
        lines = self.json("validate/passed.json").get("must_not_fail", [])
        parse = self._case.task.parse_label
        return [Row(line["origin"], line["text"], parse(line["label"]), line["origin"]) for line in lines]

    @cached_property
    def rows_digest(self) -> str:
        """Digest of the train and dev rows: what a report of this stage is about."""
        return store.rows_digest(self.rows("train"), self.rows("dev"))

    def report(self, kind: type[R]) -> R:
        """The report of an earlier stage.

        Raises:
            MissingInputError: The stage has not run, or another version of TailTune wrote the report.
        """
        stage = next(name for name, known in REPORTS.items() if known is kind)
        return store.read_report(self._allowed(self._case.paths.report(stage)), kind, self._case.name)

    @cached_property
    def reports(self) -> Mapping[str, Report]:
        """Every declared report that is there, by stage, in the order of the stages; read once."""
        paths = {stage: self._case.paths.report(stage) for stage in REPORTS}
        return {
            stage: store.read_report(path, REPORTS[stage], self._case.name)
            for stage, path in paths.items()
            if path in self._declared and path.is_file()
        }

    def folder(self, name: str) -> Path:
        """A folder, or a file, that an earlier stage left: `ladder`, `ladder/rungs`, `train/model`.

        It may be missing: what that means is for the stage to say.
        """
        return self._allowed(self._case.paths.build / name)

    def json(self, name: str) -> store.Noted:
        """A JSON object of an earlier stage: `decide/ticket.json`.

        Raises:
            MissingInputError: It is not there.
        """
        return store.read_json(self.folder(name), self._stage, self._writer(name))

    def jsonl(self, name: str) -> list[store.Noted]:
        """The objects of a JSON-lines file of an earlier stage: `ladder/dev_answers.jsonl`.

        Raises:
            MissingInputError: It is not there.
        """
        return store.read_jsonl(self.folder(name), self._stage, self._writer(name))

    def raw_file(self, name: str) -> Path:
        """A file of raw rows.

        Raises:
            UsageError: It leads out of the use case's folder.
        """
        return self._allowed(self._case.paths.rows_file(name))

    @property
    def prompts(self) -> Path:
        """The folder with the prompt templates."""
        return self._allowed(self._case.paths.prompts)

    @property
    def answers_file(self) -> Path:
        """The file beside model.yaml that says what an answer may be."""
        return self._allowed(self._case.answers_file)

    @cached_property
    def prices(self) -> PriceSpec:
        """The price list.

        Raises:
            SpecError: It has faults.
        """
        self._allowed(self._case.paths.project.prices)
        return load_prices(self._case.paths.project)

    @cached_property
    def surroundings(self) -> Surroundings:
        """What counts and is no file: how often prompts and data change, as declared and as git shows it; data kept.

        DVC does not notice when it changes. So the decision alone looks, and its report keeps what it saw.
        """
        case, paths, project = self._case, self._case.paths, self._case.paths.project
        changed = versions.changes(project.root, (paths.prompts, case.answers_file))
        changed += versions.data_changes(project, case.name)
        return Surroundings(
            declared_days=case.spec.value.change_every_days,
            seen_days=seen_days([moment.timestamp() / _DAY_S for moment in changed]),
            kept_gb=(store.folder_bytes(paths.data) + store.folder_bytes(paths.build)) / _GB,
        )

    @cached_property
    def provenance(self) -> Provenance:
        """Which commit and which data a version is made from, as of now."""
        paths, project = self._case.paths, self._case.paths.project
        commit, name = versions.git_commit(project.root), self._case.spec.data.test_file
        test_file = None if name is None else paths.rows_file(name)
        return Provenance(
            git_commit=commit,
            git_dirty=None if commit is None else versions.git_dirty(project.root),
            data_hash=versions.data_hash(project),
            test_file_hash=hashlib.sha256(test_file.read_bytes()).hexdigest()
            if test_file is not None and test_file.is_file()
            else "",
        )

    def _writer(self, name: str) -> str:
        return f"tailtune {name.partition('/')[0]} {self._case.name}"

    def _allowed(self, path: Path) -> Path:
        if not any(path == declared or declared in path.parents for declared in self._declared):
            shown = self._case.paths.project.shown(path)
            raise UndeclaredInputError(
                f"stage `{self._stage}` reads {shown}, which its row of lifecycle/table.py does not name; a change of "
                "it would leave the stage fresh",
                "add it to the stage's `reads`, then: make graph",
            )
        return path
