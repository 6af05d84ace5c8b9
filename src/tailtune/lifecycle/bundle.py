"""What a saved predictor needs to answer elsewhere: our modules that it loads, and the packages these import, pinned.

It is found by letting the predictor answer once, with our modules imported anew, as a process that has just started
would import them. So the stages before it leave no trace in the list, and no further process is needed.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from pathlib import Path
from typing import Any

from tailtune.core.errors import ServiceError
from tailtune.lifecycle.carried_code import ENTRY, PACKAGE, is_ours
from tailtune.predictors.reading import ENCODER_NAME

_ENCODER_MODULE = "tailtune.predictors.torch_encoder"
"""Loaded where no exported encoder is beside a predictor: then it reads the embedded one."""


@dataclass(frozen=True)
class Bought:
    """One per answer that an endpoint gave while a predictor was tried.

    Attributes:
        price: Name of its tokens' price; None when none was declared.
        input_tokens: Of the prompt; None when the endpoint did not report them.
        output_tokens: Of the answer; None when the endpoint did not report them.
        cached_input_tokens: Part of the prompt's that the endpoint had cached.
        cache_write_tokens: Part of the prompt's that it wrote to its cache.
    """

    price: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True)
class Needs:
    """One per saved predictor.

    Attributes:
        columns: What an answer is made of: column → `str` or `float`.
        modules: Our modules that it loads to answer.
        requirements: Packages that these import, `name==version`.
        bought: What its answer took of an endpoint; None when it asked none.
    """

    columns: Mapping[str, str]
    modules: tuple[str, ...]
    requirements: tuple[str, ...]
    bought: Bought | None = None


@dataclass
class _Imports:
    """One per try.

    Attributes:
        modules: Ours that were loaded.
        packages: Top-level packages that these import.
    """

    modules: tuple[str, ...] = ()
    packages: set[str] = field(default_factory=set)


def needs(predictor: Path, example: str, on_wait: Callable[[str], None]) -> Needs:
    """Load a saved predictor by its folder alone, let it answer once, and see what that took.

    So nothing is registered that does not answer from its files alone.

    Args:
        predictor: The folder.
        example: A text to answer.
        on_wait: Is shown a line when an endpoint's rate limit asks to wait.

    Raises:
        ServiceError: It does not load or answer.
    """
    folder = predictor.absolute()
    try:
        # In its own folder a path that is relative to the project leads nowhere.
        with chdir(folder), _modules_anew() as imports:
            columns, bought = _try(folder, example, imports, on_wait)
    except Exception as error:
        lines = str(getattr(error, "message", error)).strip().splitlines()
        why = f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
        raise ServiceError(
            f"{predictor}: the saved predictor does not answer ({why})", "run its stage again"
        ) from error
    packages = imports.packages | _imports_of(ENTRY)
    return Needs(columns, imports.modules, _requirements(packages, _ENCODER_MODULE in imports.modules), bought)


def _try(
    folder: Path, example: str, imports: _Imports, on_wait: Callable[[str], None]
) -> tuple[dict[str, str], Bought | None]:
    """Answer a text as `serving/pyfunc.py` does. Returns the answer's columns, and what an endpoint charges for it."""
    saved, prepare = (importlib.import_module(f"tailtune.{name}") for name in ("tasks.saved", "predictors.prepare"))
    predictor = saved.load(folder)
    text = prepare.prepared(example, saved.scrubbed(folder))
    for late in getattr(predictor, "late_imports", ()):  # what this text may not need, and the next one does
        importlib.import_module(late)
        imports.packages.add(late.partition(".")[0])
    bought = None
    if getattr(getattr(predictor, "spec", None), "endpoint", None):  # a prompted model: its answer is paid for
        (reply,) = replace(predictor, on_wait=on_wait).ask([text])
        if reply.problem == "too long":  # nothing was sent, so nothing was seen
            raise ValueError("the text to try it with is too long for its model")
        answer, usage = reply.answer, reply.reply
        read, written = usage.input_tokens, usage.output_tokens
        bought = Bought(predictor.spec.price, read, written, usage.cached_input_tokens, usage.cache_write_tokens)
    else:
        (answer,) = predictor.answer([text])
    columns = {name: "str" if value is None else type(value).__name__ for name, value in answer.columns().items()}
    return columns, bought


@contextmanager
def _modules_anew() -> Iterator[_Imports]:
    """Inside, our modules are imported anew; what runs already keeps those that it has.

    Packages of others stay loaded; but every import statement of ours is carried out again, and seen. The package
    itself stays, too, so that its modules come from this code and not from another copy on `sys.path`, such as the
    one in the folder of a model that MLflow has loaded here.

    Yields:
        What was imported, whole once the block has ended.
    """
    imports, original = _Imports(), builtins.__import__
    package = sys.modules[PACKAGE]
    attributes = dict(vars(package))
    running = {name: module for name, module in sys.modules.items() if is_ours(name) and name != PACKAGE}

    def noting(
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        importer = sys.modules.get(str((globals or {}).get("__name__")))
        if importer is not None and is_ours(importer.__name__) and importer.__dict__ is globals:
            imports.packages.add(name.partition(".")[0])
        return original(name, globals, locals, fromlist, level)

    for name in running:
        del sys.modules[name]
    builtins.__import__ = noting
    try:
        yield imports
    finally:
        builtins.__import__ = original
        imports.modules = tuple(sorted(filter(is_ours, sys.modules)))
        for name in imports.modules:
            if name != PACKAGE:
                del sys.modules[name]
        sys.modules.update(running)
        vars(package).update(attributes)


def _imports_of(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _requirements(packages: set[str], encoder: bool) -> tuple[str, ...]:
    others = packages - sys.stdlib_module_names - {PACKAGE}
    names = {_distribution(package) for package in others} | ({ENCODER_NAME} if encoder else set())
    return tuple(f"{name}=={version(name).partition('+')[0]}" for name in sorted(names, key=str.lower))


def _distribution(package: str) -> str:
    """The distribution that brings a package: mostly of the same name, else looked up (slow: reads every one)."""
    try:
        return str(metadata(package)["Name"])
    except PackageNotFoundError:
        return packages_distributions()[package][0]
