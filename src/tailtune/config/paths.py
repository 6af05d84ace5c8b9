"""Every path of a project, from its root. Nothing else joins path parts."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tailtune.core.errors import UsageError

_CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")  # DVC's cache, wherever it is
_NAME = re.compile(r"\w[\w.-]{0,99}")


@dataclass(frozen=True)
class Paths:
    """One per project checkout."""

    root: Path

    @classmethod
    def find(cls, start: Path | None = None) -> Paths:
        """The project that holds a folder: the nearest parent with `dvc.yaml` and `models/`.

        `TAILTUNE_ROOT` in the environment wins.

        Raises:
            UsageError: There is no such parent.
        """
        given = os.environ.get("TAILTUNE_ROOT")
        here = Path(given) if given else (start or Path.cwd())
        for folder in (here, *here.resolve().parents):
            if (folder / "dvc.yaml").is_file() and (folder / "models").is_dir():
                return cls(folder.resolve())
        raise UsageError(
            f"{here}: not inside a TailTune project (no parent holds dvc.yaml and models/)",
            "cd into your clone, or set TAILTUNE_ROOT to it",
        )

    def shown(self, path: Path) -> str:
        """A path as people read it: relative to the root where it lies below."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    @property
    def models(self) -> Path:
        """The declared use cases."""
        return self.root / "models"

    @property
    def prices(self) -> Path:
        """The price list."""
        return self.models / "prices.yaml"

    @property
    def data(self) -> Path:
        """Raw rows, pinned by data.dvc."""
        return self.root / "data"

    @property
    def examples(self) -> Path:
        """The generators of the sample data; a checkout has them, the installed package does not."""
        return self.root / "examples"

    def generator(self, use_case: str) -> Path:
        """The module that generates a use case's sample rows; there is none for use cases that are not shipped."""
        return self.examples / use_case.replace("-", "_") / "__init__.py"

    @property
    def dvc_yaml(self) -> Path:
        """The stage graph."""
        return self.root / "dvc.yaml"

    @property
    def data_dvc(self) -> Path:
        """The pin of data/."""
        return self.root / "data.dvc"

    @property
    def mlflow_store(self) -> Path:
        """The embedded tracking store."""
        return self.root / "mlflow" / "store"

    @property
    def fetched_versions(self) -> Path:
        """Registered versions' files, fetched to answer here; the store has them all."""
        return self.root / ".run" / "versions"

    @property
    def fetched_references(self) -> Path:
        """References of registered versions, fetched to look at what these answered; the store has them all."""
        return self.root / ".run" / "references"

    @property
    def answers(self) -> Path:
        """What language models answered, so that a rerun costs nothing; outlives `make clean`."""
        return self.root / ".answers" / "answers.sqlite"

    @property
    def serving(self) -> Path:
        """What servers leave: the prediction log and its spool; outlives `make clean`."""
        return self.root / ".serving"

    def use_cases(self) -> list[str]:
        """Names of the declared use cases, sorted."""
        return sorted(path.parent.name for path in self.models.glob("*/model.yaml"))

    def case(self, use_case: str) -> CasePaths:
        """The paths of one use case.

        Raises:
            UsageError: What is given is a path or an option rather than the name of a folder of models/.
        """
        if not _NAME.fullmatch(use_case):
            raise UsageError(
                f"{use_case!r:.120}: expected a use case, by its name: the name alone of a folder of models/",
                "tailtune list",
            )
        return CasePaths(self, use_case)


@dataclass(frozen=True)
class CasePaths:
    """One per use case of a checkout."""

    project: Paths
    use_case: str

    @property
    def folder(self) -> Path:
        """Where the use case is declared."""
        return self.project.models / self.use_case

    @property
    def model_yaml(self) -> Path:
        """The spec."""
        return self.folder / "model.yaml"

    @property
    def data(self) -> Path:
        """The raw rows."""
        return self.project.data / self.use_case

    @property
    def corrections(self) -> Path:
        """Labels that people corrected or confirmed, written by `tailtune labels`; may be missing."""
        return self.data / "corrections.jsonl"

    @property
    def feedback(self) -> Path:
        """Rows that people labelled after the model had answered them, for train only; may be missing."""
        return self.data / "feedback.jsonl"

    @property
    def audits(self) -> Path:
        """Rows that people labelled for an audit, for test only; may be missing."""
        return self.data / "audits.jsonl"

    @property
    def proposed(self) -> Path:
        """Rows of proposed classes that people accepted, for every split; may be missing."""
        return self.data / "proposed.jsonl"

    @property
    def by_people(self) -> tuple[Path, ...]:
        """All files of labels that people gave beside the use case's own rows; each may be missing."""
        return (self.feedback, self.corrections, self.audits, self.proposed)

    def rows_file(self, file: str) -> Path:
        """One file of raw rows, which must really lie below `data`: else data.dvc would not pin its bytes.

        A link into DVC's cache, as `dvc config cache.type symlink` makes them, is the file itself.

        Raises:
            UsageError: It leads elsewhere.
        """
        path, home = self.data / file, self.project.data.resolve() / self.use_case
        real = path.resolve()
        if real.is_relative_to(home) or (path.is_symlink() and _CACHED.search(real.as_posix())):
            return path
        raise UsageError(
            f"{self.project.shown(path)}: leads to {real}; expected a file in {self.project.shown(self.data)}/",
            f"copy it there in place of the link, then: tailtune check {self.use_case}",
        )

    @property
    def build(self) -> Path:
        """Derived files."""
        return self.project.root / "build" / self.use_case

    def stage(self, name: str) -> Path:
        """What one stage derives: a DVC output, removed before the stage runs."""
        return self.build / name

    def staging(self, name: str) -> Path:
        """Where a running stage writes; takes the place of `stage` when it ends."""
        return self.build / f".{name}.part"

    @property
    def temporary(self) -> Path:
        """What a running stage writes for a moment; the next stage empties it, should the first be killed."""
        return self.build / ".temporary"

    def rows(self, split: str) -> Path:
        """Curated rows of one split."""
        return self.stage("curate") / f"{split}.parquet"

    @property
    def dropped(self) -> Path:
        """Every row that curation dropped."""
        return self.stage("curate") / "dropped.jsonl"

    @property
    def prompts(self) -> Path:
        """The prompt templates, one Markdown file each."""
        return self.folder / "prompts"

    @property
    def passed(self) -> Path:
        """Written by validate when the gate is open; holds nothing that changes without the rows."""
        return self.stage("validate") / "passed.json"

    @property
    def docs(self) -> Path:
        """Great Expectations' Data Docs."""
        return self.stage("validate") / "docs"

    @property
    def ticket(self) -> Path:
        """Written by decide: whether training may spend, and the best cheaper rung."""
        return self.stage("decide") / "ticket.json"

    @property
    def checkpoints(self) -> Path:
        """Of an unfinished training; no DVC output, so that it outlives a kill."""
        return self.build / "checkpoints"

    @property
    def lock(self) -> Path:
        """Held by the process that runs a stage of this use case."""
        return self.build / ".lock"

    @property
    def life_lock(self) -> Path:
        """Held by the process that runs this use case's life, or a stage by itself."""
        return self.build / ".life"

    @property
    def page(self) -> Path:
        """The decision page."""
        return self.stage("register") / "decision.html"

    @property
    def retrain(self) -> Path:
        """Where retrains work: a checkout of their own, a lock, and what comes back as files."""
        return self.project.root / ".run" / "retrain" / self.use_case

    @property
    def reports(self) -> Path:
        """Small JSON metrics, in git."""
        return self.project.root / "reports" / self.use_case

    def report(self, stage: str) -> Path:
        """The report of one stage."""
        return self.reports / f"{stage}.json"
