"""Two checkouts register at one moment in one store: one version of equal files, one first champion; equal bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import CHAMPION, KEY, PROMOTED, Logged, Version
from tailtune.services.mlflow.tracker import Tracker
from tailtune.training import checkpoint


@dataclass
class Registry:
    """One per pretended registry, with versions that another checkout has made."""

    rows: list[Any] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)

    def add(self, tags: dict[str, str], made_ms: int = 1000) -> Any:
        number = str(len(self.rows) + 1)
        self.rows.append(
            SimpleNamespace(name="m", version=number, run_id=f"r{number}", tags=tags, creation_timestamp=made_ms)
        )
        return self.rows[-1]

    def create_registered_model(self, *_: object) -> None: ...

    def create_model_version(self, *_: object, tags: dict[str, str], **__: object) -> Any:
        return self.add(tags)

    def search_model_versions(self, *_: object, **__: object) -> list[Any]:
        return [row for row in self.rows if row.version not in self.deleted]

    def get_registered_model(self, _: str) -> Any:
        return SimpleNamespace(aliases=self.aliases)

    def delete_model_version(self, _: str, version: str) -> None:
        self.deleted.append(version)

    def delete_logged_model(self, model_id: str) -> None:
        self.deleted.append(model_id)

    def delete_run(self, run_id: str) -> None:
        self.deleted.append(run_id)


def tracker(store: Registry, folder: Path) -> Tracker:
    case = SimpleNamespace(name="m", spec=SimpleNamespace(description=""))
    made = Tracker(f"sqlite:///{folder / 'mlflow.db'}", cast(Any, case))
    made.__dict__["client"] = store
    return made


@pytest.mark.parametrize(
    ("others", "version", "deleted"),
    [
        ([], "1", []),
        ([{KEY: "same"}], "1", ["2", "mine", "r"]),
        ([{KEY: "other"}], "2", []),
        ([{KEY: "other"}, {KEY: "same"}], "2", ["3", "mine", "r"]),
    ],
)
def test_equal_files_are_one_version(
    others: list[dict[str, str]], version: str, deleted: list[str], tmp_path: Path
) -> None:
    store = Registry()
    for tags in others:
        store.add(tags)
    made = registry.create(tracker(store, tmp_path), "m", Logged("r", "mine"), {KEY: "same"}, "")
    assert (made.version, store.deleted) == (version, deleted)


@pytest.mark.parametrize(
    ("tags", "made_ms", "alias_appears", "champion"),
    [
        pytest.param({}, 900, True, "1", id="the other is at the gate and becomes champion"),
        pytest.param({}, 900, False, None, id="the other was killed at the gate"),
        pytest.param({PROMOTED: "false"}, 900, False, None, id="the other was refused"),
        pytest.param({PROMOTED: "true"}, -500_000, False, None, id="a champion of long ago was taken down"),
    ],
)
def test_one_version_is_the_first_champion(
    tags: dict[str, str],
    made_ms: int,
    alias_appears: bool,
    champion: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Registry()
    store.add(tags, made_ms)
    store.add({KEY: "mine"})

    def meanwhile(_: float) -> None:
        if alias_appears:
            store.aliases[CHAMPION] = "1"

    monkeypatch.setattr(registry, "time", SimpleNamespace(monotonic=iter(range(100)).__next__, sleep=meanwhile))
    mine = Version("m", "2", "r2", (), {}, 1000)
    before = registry.champion_before(tracker(store, tmp_path), mine, patience_s=3)
    assert (before and before.version) == champion


def test_lists_in_the_adapters_config_are_in_one_order(tmp_path: Path) -> None:
    def model(modules: list[str]) -> Any:
        def save_pretrained(folder: str, **_: object) -> None:
            Path(folder).mkdir(parents=True)
            (Path(folder) / "adapter_config.json").write_text(json.dumps({"target_modules": modules, "r": 4}))

        def write(_: Path) -> dict[str, object]:
            return {}

        peft = SimpleNamespace(save_pretrained=save_pretrained)
        return SimpleNamespace(model=SimpleNamespace(peft=peft), objective=SimpleNamespace(write=write))

    written = []
    for name, modules in (("first", ["value", "query"]), ("second", ["query", "value"])):
        (tmp_path / name).mkdir()
        checkpoint._write_model(model(modules), tmp_path / name)
        written.append((tmp_path / name / "adapter" / "adapter_config.json").read_bytes())
    assert written[0] == written[1]
