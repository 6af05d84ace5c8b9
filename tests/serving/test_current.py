"""Versions change without a dropped request; one that does not answer leaves the one before in its place."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tailtune.core.errors import TailTuneError
from tailtune.serving import current
from tailtune.serving.current import Named, Versions, read_current, write_current

from .fake import FakeAnswerer, until


class Answers(FakeAnswerer):
    """One whose folder is called `broken` does not load."""

    def __init__(self, folder: Path, version: str, connect: object) -> None:
        if folder.name == "broken":
            raise TailTuneError("its files are torn")
        super().__init__(folder, version)

    def answer(self, text: str):  # type: ignore[no-untyped-def]
        prediction = super().answer(text)
        return type(prediction)(**{**{s: getattr(prediction, s) for s in prediction.__slots__}, "value": self.version})


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "Answerer", Answers)


class Followed:
    """A file, and the versions that follow it."""

    def __init__(self, folder: Path) -> None:
        self.file, self.refused = folder / "current.json", 0
        self.now = 0.0
        self.versions = Versions(self.file, 100, 1, self._count, clock=lambda: self.now)

    def _count(self) -> None:
        self.refused += 1

    async def name(self, **folders: str) -> None:
        write_current(self.file, {role: Named(name, name) for role, name in folders.items()})  # type: ignore[misc]
        await self.versions.look()

    def answering(self, role: str = "champion") -> str | None:
        loaded = self.versions.get(role)  # type: ignore[arg-type]
        return None if loaded is None else loaded.named.version


def test_without_a_file_there_is_no_version(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    asyncio.run(followed.versions.look())
    assert followed.answering() is None


def test_a_version_is_changed_without_a_dropped_request(tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        await followed.name(champion="1")
        first = followed.versions.get("champion")
        assert first is not None
        first.answerer.gate.clear()  # type: ignore[attr-defined]
        waiting = [asyncio.create_task(first.line.ask([str(number)], 10)) for number in range(10)]
        await until(lambda: first.line.waiting == 10)
        swapping = asyncio.create_task(followed.name(champion="2"))
        await until(lambda: followed.answering() == "2")
        second = followed.versions.get("champion")
        assert second is not None
        assert [each.value for each in await second.line.ask(["new"], 10)] == ["2"]
        assert not any(task.done() for task in waiting)
        first.answerer.gate.set()  # type: ignore[attr-defined]
        await swapping
        assert [(await task)[0].value for task in waiting] == ["1"] * 10
        await followed.versions.close()

    asyncio.run(scenario())


def test_a_version_that_does_not_load_leaves_the_one_before(tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        await followed.name(champion="1")
        await followed.name(champion="broken")
        assert (followed.answering(), followed.refused) == ("1", 1)
        assert followed.versions.problem == "its files are torn"
        await followed.name(champion="broken", challenger="2")
        loaded = followed.versions.get("champion")
        assert loaded is not None
        assert (await loaded.line.ask(["text"], 10))[0].value == "1", "it still answers"
        assert (followed.answering("challenger"), followed.refused) == ("2", 1)
        await followed.name(champion="1", challenger="2")
        assert (followed.answering(), followed.versions.problem) == ("1", "")
        await followed.versions.close()

    asyncio.run(scenario())


def test_a_version_that_does_not_load_is_tried_again_later_each_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        await followed.name(champion="1")
        await followed.name(champion="broken")
        for wait_s, refused in ((4, 1), (2, 2), (9, 2), (2, 3)):
            followed.now += wait_s
            await followed.versions.look()
            assert (followed.answering(), followed.refused) == ("1", refused)
        followed.now += 600
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(current, "Answerer", FakeAnswerer)
            await followed.versions.look()
        assert (followed.answering(), followed.versions.problem) == ("broken", "")
        await followed.versions.close()

    asyncio.run(scenario())


def test_moving_the_alias_back_is_a_rollback(tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        for version in ("1", "2", "1"):
            await followed.name(champion=version)
            assert followed.answering() == version
        await followed.name()
        assert followed.answering() is None
        await followed.versions.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("torn", ["", "{", "[1]", '{"champion": 3}', '{"champion": {"version": "2"}}'])
def test_a_file_that_cannot_be_read_changes_nothing(torn: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        await followed.name(champion="1")
        followed.file.write_text(torn)
        await followed.versions.look()
        assert followed.answering() == "1"
        await followed.versions.close()

    asyncio.run(scenario())
    assert read_current(tmp_path / "current.json") is None
    assert read_current(tmp_path / "missing.json") is None


def test_following_goes_on_after_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(current, "_LOOK_S", 0.001)
        followed, looks = Followed(tmp_path), list[int]()

        async def look() -> None:
            looks.append(1)
            raise RuntimeError

        monkeypatch.setattr(followed.versions, "look", look)
        task = asyncio.create_task(followed.versions.follow())
        await until(lambda: len(looks) > 2)
        task.cancel()

    asyncio.run(scenario())


def test_a_version_that_could_not_be_fetched_is_a_problem_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        followed = Followed(tmp_path)
        await followed.name(champion="1")
        write_current(followed.file, {"champion": Named("1", "1")}, "version 2 is gone")
        await followed.versions.look()
        assert (followed.answering(), followed.versions.problem) == ("1", "version 2 is gone")
        await followed.name(champion="1")
        assert followed.versions.problem == ""
        await followed.versions.close()

    asyncio.run(scenario())
