"""`tailtune sample`: the data of the shipped use cases, made by the generators in the checkout's `examples/`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from tailtune.cli import staging
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.services import versions


def write_sample(paths: Paths, name: str) -> Iterator[str]:
    """Generate a sample's rows where they are missing or not as pinned, and put them into DVC's cache.

    One pin covers all of data/, so the rows of other shipped use cases are made too where they are missing.

    Raises:
        UsageError: There is no such sample, or it cannot be pinned.
    """
    _check_name(paths, name)
    with staging.alone(paths):
        staging.clear(paths)  # or its half-written rows would be pinned
    if versions.data_is_pinned(paths, name):
        yield f"data/{name}/ is as data.dvc pins it"
        return
    rows = _generate(paths, name)
    for other in versions.without_rows(paths):
        if paths.generator(other).is_file():
            yield f"data/{other}/ holds {_generate(paths, other):,} rows; data.dvc pins them together"
    versions.refuse_gaps(paths)
    before = versions.data_hash(paths)
    after = versions.pin_data(paths)
    yield f"data/{name}/ holds {rows:,} rows; data.dvc {'pins exactly these' if before == after else 'was updated'}"


def restore_samples(paths: Paths) -> None:
    """Make sure that data/ is whole before its pin is renewed: what is missing would be dropped from the pin.

    Raises:
        UsageError: A use case's rows are missing and cannot be generated.
    """
    for name in versions.without_rows(paths):
        if paths.generator(name).is_file():
            _generate(paths, name)
    versions.refuse_gaps(paths)


def example(paths: Paths, module: str) -> ModuleType:
    """A module of the checkout's `examples/`, such as `support_tickets.bank`.

    The folder is no part of the installed product and on no import path. It is loaded from where it stands, under a
    private name for each checkout, so that no package called `examples` can be imported, or taken for it.
    """
    folder = paths.examples
    package = f"_tailtune_examples_{sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"
    if package not in sys.modules:
        spec = spec_from_file_location(package, folder / "__init__.py", submodule_search_locations=[str(folder)])
        assert spec is not None and spec.loader is not None  # noqa: S101 (a `.py` file always has both)
        made = module_from_spec(spec)
        sys.modules[package] = made
        spec.loader.exec_module(made)
    return import_module(f"{package}.{module}")


def _generate(paths: Paths, name: str) -> int:
    """Write a sample's rows; how many there are."""
    return int(example(paths, paths.generator(name).parent.name).write(paths.data).rows)


def _check_name(paths: Paths, name: str) -> None:
    if paths.generator(name).is_file():
        return
    names = sorted(init.parent.name.replace("_", "-") for init in paths.examples.glob("*/__init__.py"))
    if names:
        raise UsageError(f"{name}: no such sample; there is {', '.join(names)}", f"tailtune sample {names[-1]}")
    raise UsageError(
        f"{paths.examples}: no generators of sample data; expected those of a TailTune checkout, which are not"
        " installed with the package",
        "tailtune new --help",
    )
