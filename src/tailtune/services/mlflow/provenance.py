"""Who and what made a run: user, host, checkout, commit."""

from __future__ import annotations

import getpass
import hashlib
import socket
import subprocess
from functools import lru_cache
from pathlib import Path

from tailtune.core.reports import Report


@lru_cache(maxsize=8)
def git_commit(root: Path) -> str | None:
    """The commit a checkout stands on; None without git or a commit."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--verify", "HEAD"],  # noqa: S607 - git from PATH, as the user's shell does
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def checkout(root: Path) -> str:
    """Names one checkout on one machine; runs that another checkout left alone are never touched."""
    return f"{socket.gethostname()}:{root}"


def user() -> str:
    """Who runs this, as MLflow's `User` column shows it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without a passwd entry
        return "unknown"


def publication(report: Report) -> str:
    """Digest that two publications share exactly when they are of the same stage run."""
    parts = (report.use_case, report.stage, report.rows_digest, report.spec_digest, report.finished_at)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def file_digest(path: Path) -> str:
    """MD5 of a file: the digest DVC has for the same bytes in dvc.lock."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
