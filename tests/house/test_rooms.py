"""Who may use which library, and what nobody may use."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from house.tree import FLOWS, ROOT, SRC, all_imports, imports, outside, python_files, syntax

# Library → where below src/tailtune it may be imported. A folder's name ends with a slash.
ROOMS: dict[str, tuple[str, ...]] = {
    "cleanlab": ("services/label_issues.py",),
    "dateparser": ("tasks/extraction/values/dates.py",),
    "dvc": ("services/versions.py",),
    "great_expectations": ("lifecycle/validate/",),
    "gepa": ("predictors/prompted/",),
    "gguf": ("predictors/prompted/gguf_file.py",),
    "httpx2": ("services/endpoint/", "serving/gateway.py"),
    "jinja2": ("report/", "predictors/prompted/"),
    "jsonschema": ("config/formats.py", "tasks/extraction/"),
    "llguidance": ("predictors/prompted/",),
    "mlflow": ("services/mlflow/", "serving/pyfunc.py"),
    "onnx": ("predictors/onnx_graph.py",),
    "onnxruntime": ("predictors/onnx.py", "predictors/onnx_graph.py"),
    "openai": ("services/endpoint/",),
    "peft": ("training/", "predictors/adapter"),
    "pydantic_settings": ("config/settings.py",),
    "phonenumbers": ("tasks/extraction/values/texts.py",),
    "prefect": (
        "report/prefect.py",
        "lifecycle/orchestration.py",
        "lifecycle/local_server.py",
        "operations/orchestration.py",
    ),
    "py3langid": ("services/languages.py",),
    "price_parser": ("tasks/extraction/values/numbers.py",),
    "rapidfuzz": ("tasks/extraction/values/places.py",),
    "rensa": ("services/near_duplicates.py",),
    "slack_sdk": ("services/webhooks.py",),
    "sqlalchemy": (
        "services/database.py",
        "services/prediction_log/",
        "services/outbox/",
        "services/monitored_days.py",
        "services/audits.py",
        "services/retrains.py",
        "services/mlflow/",
    ),
    "sqlite3": ("services/endpoint/", "services/mlflow/"),
    "typer": ("cli/",),
    "yaml": ("config/located.py", "operations/servers/deployments.py"),
}
NOWHERE = (
    "datasketch",
    "pickle",
    "cPickle",
    "cloudpickle",
    "dill",
    "joblib",
    "shelve",
    "marshal",
)
IMPURE = {
    "asyncio",
    "datetime",
    "io",
    "logging",
    "os",
    "pathlib",
    "random",
    "requests",
    "shutil",
    "socket",
    "subprocess",
}
IMPURE |= {"sys", "tempfile", "threading", "time", "urllib"}


def inside(path: Path, rooms: tuple[str, ...]) -> bool:
    return path.relative_to(SRC).as_posix().startswith(rooms)


@pytest.mark.parametrize("library", ROOMS)
def test_one_library_one_room(library: str) -> None:
    found = [one for one in all_imports(SRC) if one.package == library]
    assert found, f"nothing imports {library}: the rule is about nothing"
    wrong = [str(one) for one in found if not inside(one.path, ROOMS[library])]
    assert not wrong, outside(wrong)


@pytest.mark.parametrize("library", NOWHERE)
def test_nobody_imports(library: str) -> None:
    wrong = [str(one) for one in all_imports(SRC) if one.package == library]
    assert not wrong, outside(wrong)


def test_judge_has_no_clock_file_or_network() -> None:
    wrong = [str(one) for one in all_imports(SRC / "judge") if one.package in IMPURE]
    for path in python_files(SRC / "judge"):
        for node in ast.walk(syntax(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"open", "input", "print"}
            ):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}")
    assert not wrong, outside(wrong)


def test_no_weights_are_read_by_running_code() -> None:
    """No pickle by another name, and no code from a model's folder."""
    wrong, seen = [], 0
    for path in (*python_files(SRC), *python_files(FLOWS)):
        for node in ast.walk(syntax(path)):
            if not isinstance(node, ast.Call):
                continue
            seen += 1
            called = ast.unparse(node.func)
            risky = {k.arg for k in node.keywords if isinstance(k.value, ast.Constant) and k.value.value is True}
            if called in {"torch.load", "torch.save"} or risky & {"trust_remote_code", "allow_pickle"}:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)[:80]}")
    assert seen > 1000
    assert not wrong, outside(wrong)


def test_only_the_command_line_exits() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in python_files(SRC)
        if not inside(path, ("cli/", "__main__.py"))
        for node in ast.walk(syntax(path))
        if (isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.exit")
        or (isinstance(node, ast.Name) and node.id in {"SystemExit", "exit", "quit"})
    ]
    assert not wrong, outside(wrong)


def test_errors_grow_on_one_tree() -> None:
    tree = SRC / "core" / "errors.py"
    known = {node.name for node in ast.walk(syntax(tree)) if isinstance(node, ast.ClassDef)}
    assert "TailTuneError" in known
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno} class {node.name}"
        for path in python_files(SRC)
        if path != tree
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.ClassDef)
        and any(re.search(r"(Error|Exception)$", ast.unparse(base)) for base in node.bases)
    ]
    assert not wrong, outside(wrong)


def test_floors_and_independence_hold() -> None:
    """pyproject.toml's import-linter contracts."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken", done.stdout)


def test_the_reader_of_imports_sees_all_kinds(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text(
        "import a.b\nfrom c import d\n\ndef f():\n    import e\n    importlib.import_module('g.h')\n", encoding="utf-8"
    )
    assert [one.module for one in imports(sample)] == ["a.b", "c.d", "e", "g.h"]
