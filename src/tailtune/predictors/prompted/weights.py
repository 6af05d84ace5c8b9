"""Weights of language models in folders: what they are read from, and what tells one model from another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tailtune.config.prompting import PromptSpec

_SHAPING = (".json", ".jinja", ".model", ".safetensors")
_WHOLE_BYTES = 64 << 20
_SAMPLES, _SAMPLE_BYTES = 256, 16 << 10


def files_of(folder: Path) -> list[Path]:
    """What a model is read from, by name: config, tokenizer and safetensors. Pickles and code are not among them."""
    return [path for path in sorted(folder.iterdir()) if path.suffix in _SHAPING and path.is_file()]


def bytes_of(folder: Path) -> int:
    """How much room a model takes, without what else lies in its folder."""
    return sum(path.stat().st_size for path in files_of(folder))


def digest_of(folder: Path) -> str:
    """What tells one model from another, 64 hex digits; the same wherever the folder lies.

    JSON files and weights up to 64 MiB count whole. Of larger files it is the size, and 256 pieces of 16 KiB spread
    over them.

    Limit: an edit of a large file that misses every piece, as no training does, is not seen.
    """
    whole = hashlib.sha256()
    for path in files_of(folder):
        whole.update(f"{path.name} {path.stat().st_size} ".encode())
        whole.update(_file_digest(path))
    return whole.hexdigest()


def holds(folder: Path, digest: str) -> bool:
    """Whether a folder holds the very model of a digest."""
    return folder.is_dir() and digest_of(folder) == digest


def folders(prompt: PromptSpec, root: Path) -> dict[str, Path]:
    """Declared model → its folder; endpoints have none.

    Args:
        prompt: What is declared.
        root: What folders of local models are relative to.
    """
    return {model.name: root / model.folder for model in prompt.models if model.folder is not None}


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


def _file_digest(path: Path) -> bytes:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").digest()
        found = hashlib.sha256()
        for at in range(_SAMPLES):
            file.seek(at * (size - _SAMPLE_BYTES) // (_SAMPLES - 1))
            found.update(file.read(_SAMPLE_BYTES))
        return found.digest()
