"""constraints.txt names what is needed, and nothing of this machine."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]


def test_every_pin_is_exact_and_platform_neutral() -> None:
    assert len(PINS) > 50
    for pin in PINS:
        assert re.fullmatch(r"==[0-9A-Za-z.!]+", str(pin.specifier)), pin
        assert pin.marker is None


def test_what_we_ask_for_is_pinned_within_its_range() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    answers = [Requirement(line) for line in (*project["dependencies"], *project["optional-dependencies"]["dev"])]
    pins = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in PINS}
    missing = [need.name for need in answers if canonicalize_name(need.name) not in pins]
    assert not missing, f"make lock: {missing}"
    for need in answers:
        assert need.specifier.contains(pins[canonicalize_name(need.name)], prereleases=True), need


def test_the_closure_follows_requirements_and_leaves_the_rest_out() -> None:
    spec = importlib.util.spec_from_file_location("tailtune_lock", ROOT / "infra/lock.py")
    assert spec is not None
    assert spec.loader is not None
    lock = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lock)
    found = lock.closure("tailtune", frozenset())
    assert {"dvc", "dvc-data", "prefect", "mlflow", "torch"} <= set(found)
    assert "tailtune" not in found
    assert "pip" not in found
    assert "+" not in found["torch"]
    assert set(found) <= set(lock.closure("tailtune", frozenset({"dev"})))
