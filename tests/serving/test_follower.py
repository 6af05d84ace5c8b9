"""Following the registry: what it names is fetched and checked; whatever is wrong changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tailtune.core.digests import folder_digest
from tailtune.core.errors import ServiceError
from tailtune.services.mlflow.lookup import StoredVersion
from tailtune.serving import follower
from tailtune.serving.current import Named, read_current, read_problem
from tailtune.serving.follower import Follower, Registry


class FakeRegistry:
    """Aliases that a test moves; fetching makes a folder, unless the version is damaged."""

    def __init__(self, folder: Path) -> None:
        self.aliases: dict[str, str] = {}
        self.dead, self.damaged = False, set[str]()
        self.dead_as: Exception = ServiceError("the registry does not answer", "start it")
        self.fetched: list[str] = []
        self.now, self.folder = 0.0, folder
        (folder / "mlflow.db").touch()
        self.registry = Registry(
            f"sqlite:///{folder / 'mlflow.db'}", "inbox", {"champion": "champion", "challenger": "next"}, folder
        )

    def find(self, uri: str, model: str, alias: str) -> StoredVersion | None:
        if self.dead:
            raise self.dead_as
        version = self.aliases.get(alias)
        return None if version is None else StoredVersion(model, version, "r", "s", None)

    def fetch(self, uri: str, stored: StoredVersion, cache: Path) -> Path:
        self.fetched.append(stored.version)
        if stored.version in self.damaged:
            raise ServiceError(f"the files of {stored.version} are not those that were registered", "")
        plain = cache / "plain" / stored.version
        plain.mkdir(parents=True, exist_ok=True)
        (plain / "weights").write_text(stored.version)
        target = cache / f"{stored.version}-{folder_digest(plain)}"
        if not target.exists():
            target.mkdir()
            (target / "weights").write_text(stored.version)
        return target

    def follower(self) -> Follower:
        return Follower(self.registry, self.folder / "current.json", lambda: self.now)

    def named(self) -> dict[str, str] | None:
        found = read_current(self.folder / "current.json")
        return None if found is None else {role: named.version for role, named in found.items()}


class DamagedStoreError(Exception):
    """As libraries raise them."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeRegistry:
    registry = FakeRegistry(tmp_path)
    monkeypatch.setattr(follower, "find", registry.find)
    monkeypatch.setattr(follower, "fetch", registry.fetch)
    return registry


def test_what_an_alias_names_is_to_answer(made: FakeRegistry) -> None:
    following = made.follower()
    following.look()
    assert made.named() == {}
    for aliases in ({"champion": "1"}, {"champion": "2", "next": "3"}, {"champion": "1"}, {}):
        made.aliases = aliases
        following.look()
        names = {"champion": "champion", "next": "challenger"}
        assert made.named() == {names[alias]: version for alias, version in aliases.items()}
    assert following.problem == ""


def test_a_dead_registry_changes_nothing(made: FakeRegistry) -> None:
    following, made.aliases = made.follower(), {"champion": "1"}
    following.look()
    made.dead, made.aliases = True, {"champion": "2"}
    following.look()
    assert (made.named(), following.problem) == ({"champion": "1"}, "the registry does not answer")
    made.dead = False
    following.look()
    assert (made.named(), following.problem) == ({"champion": "2"}, "")


def test_what_answered_last_answers_after_a_start_with_a_dead_registry(made: FakeRegistry) -> None:
    made.aliases = {"champion": "1", "next": "2"}
    made.follower().look()
    folder = read_current(made.folder / "current.json")["challenger"].folder  # type: ignore[index]
    (Path(folder) / "weights").write_text("changed by somebody")
    made.dead, following = True, made.follower()
    made.dead_as = DamagedStoreError("file is not a database\nmore")
    assert made.named() is None, "the registry is asked first"
    following.look()
    assert made.named() == {"champion": "1"}
    made.dead, made.aliases = False, {"champion": "3"}
    following.look()
    assert made.named() == {"champion": "3"}


def test_files_that_were_not_registered_are_refused_and_tried_again_later(made: FakeRegistry) -> None:
    following, made.aliases = made.follower(), {"champion": "1"}
    following.look()
    made.aliases, made.damaged = {"champion": "2"}, {"2"}
    for now in range(30):
        made.now = float(now)
        following.look()
    assert made.named() == {"champion": "1"}
    assert "not those that were registered" in following.problem
    assert made.fetched.count("2") == 4, "at 0, 4, 12 and 28 s"
    made.damaged, made.now = set(), 100.0
    following.look()
    assert (made.named(), following.problem) == ({"champion": "2"}, "")


def test_a_challenger_that_is_damaged_does_not_hold_up_the_champion(made: FakeRegistry) -> None:
    following, made.damaged = made.follower(), {"9"}
    made.aliases = {"champion": "1", "next": "9"}
    following.look()
    made.aliases = {"champion": "2", "next": "9"}
    following.look()
    assert made.named() == {"champion": "2"}


def test_a_store_that_has_gone_is_no_alias_that_was_taken_away(made: FakeRegistry) -> None:
    following, made.aliases = made.follower(), {"champion": "1"}
    following.look()
    made.aliases = {}
    (made.folder / "mlflow.db").rename(made.folder / "away")
    following.look()
    assert (made.named(), "has gone" in following.problem) == ({"champion": "1"}, True)
    (made.folder / "away").rename(made.folder / "mlflow.db")
    following.look()
    assert (made.named(), following.problem) == ({}, "")


def test_files_that_are_gone_are_fetched_again(made: FakeRegistry) -> None:
    following, made.aliases = made.follower(), {"champion": "1"}
    following.look()
    named: Any = read_current(made.folder / "current.json")
    folder = Path(named["champion"].folder)
    (folder / "weights").unlink()
    folder.rmdir()
    following.look()
    assert folder.is_dir()
    assert named["champion"] == Named("1", str(folder))


class Ending:
    """Ends the following after so many pauses; before one of them, somebody writes into the store."""

    def __init__(self, pauses: int, write: dict[int, Callable[[], object]]) -> None:
        self.left, self.write, self.pauses = pauses, write, 0

    def is_set(self) -> bool:
        return self.pauses >= self.left

    def wait(self, timeout: float) -> bool:
        self.write.get(self.pauses, lambda: None)()
        self.pauses += 1
        return self.is_set()


def test_a_store_in_a_file_is_looked_at_as_soon_as_it_has_changed(
    made: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    store = made.folder / "mlflow.db"
    ending: Any = Ending(45, {3: lambda: store.write_text("an alias"), 4: store.unlink})
    following = made.follower()
    monkeypatch.setattr(following, "look", lambda: looks.append(ending.pauses))
    following.follow(ending)
    assert looks == [0, 4, 5, 25], "at once when it is written to or goes, else every two seconds"


def test_what_the_registry_names_and_cannot_be_had_is_said_to_the_workers(made: FakeRegistry) -> None:
    following, current = made.follower(), made.folder / "current.json"
    made.aliases = {"champion": "1"}
    following.look()
    assert read_problem(current) == ""
    made.aliases, made.damaged = {"champion": "2"}, {"2"}
    following.look()
    assert (made.named(), "the files of 2" in read_problem(current)) == ({"champion": "1"}, True)
    made.dead = True
    following.look()
    assert read_problem(current) == "the registry does not answer"
    made.dead, made.aliases = False, {"champion": "1"}
    following.look()
    assert (made.named(), read_problem(current)) == ({"champion": "1"}, "")
