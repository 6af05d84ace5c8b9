"""Weights of language models in folders: what they are read from, and what tells one model from another."""

from __future__ import annotations

import hashlib
from pathlib import Path

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
