"""Write constraints.txt: the versions installed here of everything that tailtune[dev] needs. `make lock`."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
# The wheel of the embedded language model is not in it: the Makefile pins and installs it without its requirements.
# What every platform but this one may need besides is left to the resolver; what no platform needs is left out.
HEAD = """\
# What was tested together, without platform or local version parts. Written by `make lock`; do not edit.
"""


def closure(name: str, extras: frozenset[str]) -> dict[str, str]:
    """Canonical name → installed version of all that a distribution with these extras needs, itself left out.

    Raises:
        PackageNotFoundError: Something that is needed is not installed.
    """
    found: dict[str, str] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(canonicalize_name(name), extras)]
    while todo:
        requirement = todo.pop()
        if requirement in seen:
            continue
        seen.add(requirement)
        package, with_extras = requirement
        installed = distribution(package)
        if package != canonicalize_name(name):
            found[package] = Version(installed.version).public
        for line in installed.requires or []:
            need = Requirement(line)
            if _applies(need, with_extras):
                todo.append((canonicalize_name(need.name), frozenset(need.extras)))
    return found


def _applies(need: Requirement, extras: frozenset[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def main() -> int:
    """Write the file."""
    try:
        pins = closure("tailtune", frozenset({"dev"}))
    except PackageNotFoundError as missing:
        print(f"{missing.name}: needed and not installed\nNext:  pip install -e .[dev]", file=sys.stderr)
        return 1
    lines = [f"{name}=={version}" for name, version in sorted(pins.items())]
    (ROOT / "constraints.txt").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
    print(f"constraints.txt: {len(lines)} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main())
