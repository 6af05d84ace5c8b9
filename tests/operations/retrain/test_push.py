"""What leaves the machine after a retrain: in order, never by force, and what failed is made up for, once."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from operations.retrain.conftest import context_of
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.core.retrains import Push, RetrainOutcome
from tailtune.operations.retrain.push import make_up, planned, push
from tailtune.operations.retrain.run import push_owed, retrain
from tailtune.operations.retrain.workspace import Workspace
from tailtune.report.retraining import outcome_lines
from tailtune.services.retrains import EndedRetrain, Retrains

from .outcomes import OUTCOME

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
BRANCH = "retrain/first/2026-11-03"


def git(root: Path, *words: str) -> str:
    named = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", "-C", str(root), *named, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Team:
    """A checkout whose rows are pinned and committed, a bare repository, and a folder as DVC remote."""

    def __init__(self, paths: Paths, elsewhere: Path) -> None:
        self.paths, self.bare, self.store = paths, elsewhere / "bare.git", elsewhere / "store"
        elsewhere.mkdir()
        git(elsewhere, "init", "--bare", str(self.bare))
        (paths.root / ".gitignore").write_text("/data/\n/.run/\n/.dvc/cache/\n/.dvc/tmp/\n/mlflow/\n/.serving/\n")
        (paths.root / ".dvc" / "config").write_text(
            f"[core]\n    no_scm = True\n    remote = team\n['remote \"team\"']\n    url = {self.store}\n"
        )
        git(paths.root, "init")
        git(paths.root, "remote", "add", "origin", str(self.bare))
        git(paths.root, "add", "-A")
        git(paths.root, "commit", "-m", "start")
        self.commit = git(paths.root, "rev-parse", "HEAD")
        with (paths.case("first").model_yaml).open("a") as out:
            out.write("retrain: {push: [dvc, branch, tag]}\n")

    def refs(self) -> list[str]:
        return git(self.bare, "for-each-ref", "--format=%(refname)").split()

    def files(self) -> int:
        return sum(file.is_file() for file in self.store.rglob("*"))

    def refuse(self) -> Path:
        hook = self.bare / "hooks" / "pre-receive"
        hook.write_text("#!/bin/sh\necho 'branches of retrains are not taken here' >&2\nexit 1\n")
        hook.chmod(0o755)
        return hook

    def outcome(self, version: str = "2") -> RetrainOutcome:
        made = OUTCOME.model_copy(update={"commit": self.commit, "result": BRANCH, "version": version})
        return made.model_copy(update={"pushes": planned(context_of(self.paths), made)})

    def pushed(self, kept: Retrains, outcome: RetrainOutcome, at_us: int = 1) -> RetrainOutcome:
        number = kept.begin("first", "here", "hand", at_us)
        kept.end(number, at_us, outcome)
        return push(context_of(self.paths), kept, EndedRetrain(number, at_us, outcome))


@pytest.fixture
def team(paths: Paths, tmp_path: Path) -> Team:
    return Team(paths, tmp_path / "elsewhere")


@pytest.fixture
def kept(team: Team) -> Iterator[Retrains]:
    with closing(Retrains(Settings().prediction_log_url(team.paths))) as opened:
        yield opened


def test_nothing_leaves_the_machine_by_default(paths: Paths) -> None:
    assert planned(context_of(paths), OUTCOME.model_copy(update={"commit": "1234567"})) == ()


def test_rows_a_branch_and_a_tag_are_pushed_once(team: Team, kept: Retrains) -> None:
    outcome = team.pushed(kept, team.outcome())
    assert [(each.what, each.done) for each in outcome.pushes] == [("dvc", True), ("branch", True), ("tag", True)]
    assert team.refs() == [f"refs/heads/{BRANCH}", "refs/tags/first/v2"]
    files = team.files()
    assert files >= 2 and kept.owed("first") == []
    last = kept.last("first")
    assert last is not None and last.outcome == outcome
    assert push(context_of(team.paths), kept, replace(last, outcome=team.outcome())).owed == ()
    assert (team.files(), len(team.refs())) == (files, 2)
    assert not (team.paths.case("first").retrain / "push").exists()


def test_a_branch_that_is_refused_is_owed_and_made_up_for(team: Team, kept: Retrains) -> None:
    hook = team.refuse()
    outcome = team.pushed(kept, team.outcome())
    rows, branch, tag = outcome.pushes
    assert rows.done and not branch.done and not tag.done
    assert "branches of retrains are not taken here" in branch.why and tag.why == "waits for branch"
    lines = "\n".join(outcome_lines(outcome))
    assert "rows and models to the DVC remote" in lines and "not pushed" in lines and "the next retrain tries" in lines
    assert [each.done for each in make_up(context_of(team.paths), kept)] == [False, False]
    hook.unlink()
    git(team.paths.root, "branch", "-f", BRANCH, team.commit)
    git(team.paths.root, "branch", "-D", BRANCH)  # merged and removed meanwhile
    tried = push_owed(team.paths, Settings(), "first", Silent())
    assert [(each.what, each.done, each.why) for each in tried] == [("branch", True, ""), ("tag", True, "")]
    assert push_owed(team.paths, Settings(), "first", Silent()) == [] and len(team.refs()) == 2


def test_another_branch_of_that_name_is_never_written_over(team: Team, kept: Retrains) -> None:
    clone = team.bare.parent / "clone"
    git(team.bare.parent, "clone", str(team.bare), str(clone))
    git(clone, "commit", "--allow-empty", "-m", "somebody else's")
    git(clone, "push", "origin", f"HEAD:refs/heads/{BRANCH}")
    theirs = git(clone, "rev-parse", "HEAD")
    branch = team.pushed(kept, team.outcome()).pushes[1]
    assert not branch.done and "rejected" in branch.why
    assert git(team.bare, "rev-parse", f"refs/heads/{BRANCH}") == theirs


def test_rows_go_first_and_what_is_away_is_made_up_for_by_the_next_retrain(
    team: Team, kept: Retrains, monkeypatch: pytest.MonkeyPatch
) -> None:
    team.store.write_text("no folder: the remote is away")
    assert [each.done for each in team.pushed(kept, team.outcome()).pushes] == [False, False, False]
    assert team.refs() == []
    team.store.unlink()
    monkeypatch.setattr(Workspace, "run_life", lambda self: 3)
    done = retrain(team.paths, Settings(), "first", "hand", Silent())
    assert done.outcome is not None and done.outcome.state == "stopped" and done.outcome.pushes == ()
    assert kept.owed("first") == [] and len(team.refs()) == 2 and team.files() >= 2


def test_without_git_rows_are_pushed_from_the_files_that_it_left(team: Team, kept: Retrains) -> None:
    result = ".run/retrain/first/changed/2026-11-03"
    (team.paths.root / result).mkdir(parents=True)
    shutil.copyfile(team.paths.data_dvc, team.paths.root / result / "data.dvc")
    made = OUTCOME.model_copy(update={"result": result})
    made = made.model_copy(update={"pushes": planned(context_of(team.paths), made)})
    assert [each.what for each in made.pushes] == ["dvc"]
    assert team.pushed(kept, made).owed == () and team.files() >= 2
    shutil.rmtree(team.paths.root / result)
    gone = team.pushed(kept, made, 2).owed
    assert [each.what for each in gone] == ["dvc"] and "is gone" in gone[0].why


def test_old_outcomes_owe_nothing() -> None:
    old = RetrainOutcome.model_validate(OUTCOME.model_dump(exclude={"pushes", "commit", "candidates"}))
    assert old.owed == () and Push(what="tag", name="x").why == ""
