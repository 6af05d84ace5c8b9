"""Digests of files and folders: equal exactly when names and bytes are."""

from __future__ import annotations

import hashlib
from pathlib import Path


def folder_digest(folder: Path, most_bytes: int | None = None, left_out: str = "") -> str:
    """Digest of a folder's files, 16 hexadecimal digits; Python's own caches are left out.

    Args:
        folder: The folder.
        most_bytes: Of a larger file only name and size count, so that asking stays cheap; all bytes when None.
        left_out: Name of a file in the folder that does not count; empty counts all.
    """
    digest = hashlib.sha256()
    skipped = folder / left_out if left_out else None
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "__pycache__"):
        if path == skipped:
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}\x1f{size}\x1e".encode())
        if most_bytes is not None and size > most_bytes:
            continue
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:16]


def file_digest(file: Path) -> str:
    """Digest of a file's bytes, 16 hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
