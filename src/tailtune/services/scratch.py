"""A scratch checkout of another moment: code from git, data from DVC's cache, stages run there by DVC, alone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from dataclasses import dataclass
from pathlib import Path

from tailtune.config.paths import Paths
from tailtune.core.errors import ServiceError, StageFailedError
from tailtune.core.printable import printable
from tailtune.core.secrets import without_passwords

_COMMIT = re.compile(r"[0-9a-f]{7,64}")  # no branch, no option: the name comes from a version's tags
_PUSH_S, _GIT_S = 300, 120
_ROOM = "make room or mend the folder, then run the same command again"
_TREE = ("src", "flows", "models", "dvc.yaml", "pyproject.toml", ".dvc/config", ".dvcignore", ".gitignore")


@dataclass(frozen=True)
class Scratch:
    """One per scratch checkout.

    Attributes:
        origin: The checkout it was made from.
        paths: The scratch checkout.
        commit: What is checked out; None when the code was copied from the origin.
    """

    origin: Paths
    paths: Paths
    commit: str | None


def make(origin: Paths, folder: Path, commit: str | None) -> Scratch:
    """Check out a commit as a git worktree; without it, copy the origin's own code. What a killed run left goes first.

    Raises:
        ServiceError: The folder cannot be written, as on a full disk.
    """
    remove(origin, folder)
    known = (
        commit is not None
        and bool(_COMMIT.fullmatch(commit))
        and _git(origin.root, "cat-file", "-e", f"{commit}^{{commit}}")
    )
    try:
        if known and commit:
            _add_worktree(origin.root, folder, commit)
            made = Scratch(origin, Paths(folder), commit)
        else:
            _copy_tree(origin.root, folder)
            made = Scratch(origin, Paths(folder), None)
        _use_cache_of(origin, folder)
    except (OSError, subprocess.TimeoutExpired) as error:
        remove(origin, folder)
        first = error.args[0][0][2] if isinstance(error, shutil.Error) else error  # it lists every file
        raise ServiceError(f"{folder}: no checkout can be made there: {first}", _ROOM) from error
    return made


def _add_worktree(root: Path, folder: Path, commit: str) -> None:
    """Check a commit out beside the others.

    Raises:
        OSError: Git refused, in its words.
    """
    words = ("worktree", "add", "--detach", "--force", str(folder), commit)
    done = subprocess.run(  # noqa: S603
        ["git", "-C", str(root), *words],  # noqa: S607
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_GIT_S,
        check=False,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith(("error:", "fatal:"))]
        raise OSError(without_passwords(printable((lines or ["git worktree add failed"])[0])))


def remove(origin: Paths, folder: Path) -> None:
    """Remove a scratch checkout and what git remembers of it; one that is not there is fine."""
    _git(origin.root, "worktree", "remove", "--force", "--force", str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    _git(origin.root, "worktree", "prune")


def restore_data(scratch: Scratch, use_case: str, same_as_origin: bool) -> str:
    """Bring the rows that the scratch's data.dvc pins. Returns where they came from.

    Raises:
        ServiceError: They are neither here, nor in DVC's cache, nor in a remote.
    """
    if same_as_origin:
        shutil.copytree(scratch.origin.case(use_case).data, scratch.paths.case(use_case).data, dirs_exist_ok=True)
        return "data/ (its hash is the recorded one)"
    for source, words in (("DVC's cache", ("checkout", "--quiet")), ("the DVC remote", ("pull", "--quiet"))):
        if _dvc(scratch, *words, "data.dvc").returncode == 0 and scratch.paths.case(use_case).data.is_dir():
            return source
    raise ServiceError(
        "data.dvc of that version: its rows are neither in DVC's cache nor in a remote",
        "dvc remote add -d NAME URL, then run the same command again",
    )


def commit(scratch: Scratch, files: Sequence[str], message: str) -> str | None:
    """Commit what changed in some files and folders of a scratch checkout; its hooks and signing are left out.

    Args:
        scratch: The checkout.
        files: Relative to its root; those that are not there are left out.
        message: Of the commit.

    Returns:
        What is checked out afterwards, also when nothing had changed; None without git.

    Raises:
        ServiceError: Git refused, as on a full disk.
    """
    root = scratch.paths.root
    if scratch.commit is None:
        return None
    there = [name for name in files if (root / name).exists()]
    staged = _git(root, "add", "--force", "--", *there)
    if not _git(root, "diff", "--cached", "--quiet"):
        named = _git(root, "config", "user.email")
        author = () if named else ("-c", "user.name=TailTune", "-c", "user.email=tailtune@localhost")
        words = (*author, "-c", "commit.gpgsign=false", "commit", "--quiet", "--no-verify", "-m", message)
        staged = staged and _git(root, *words)
    if not staged:
        raise ServiceError(f"{root}: git cannot commit there", f"git -C {root} status")
    return _head(root)


def keep_branch(scratch: Scratch, name: str) -> str:
    """Name what is checked out in a scratch checkout, in the repository that it shares.

    Args:
        scratch: The checkout.
        name: Of the branch; a number is put behind it where there is such a one.

    Returns:
        The branch.

    Raises:
        ServiceError: Git refused.
    """
    root, branch, number = scratch.paths.root, name, 1
    while _git(root, "show-ref", "--verify", "--quiet", f"refs/heads/{branch}"):
        number += 1
        branch = f"{name}-{number}"
    if not _git(root, "branch", "--no-track", branch):
        raise ServiceError(f"{branch}: git cannot make this branch", f"git branch --list '{name}*'")
    return branch


def make_tag(origin: Paths, name: str, commit: str) -> None:
    """Name a commit by a tag; one of that name stays where it is, for a tag never moves.

    Raises:
        ServiceError: Git refused.
    """
    if _git(origin.root, "show-ref", "--verify", "--quiet", f"refs/tags/{name}"):
        return
    if not _git(origin.root, "tag", name, commit):
        raise ServiceError(f"{name}: git cannot make this tag", f"git tag --list '{name}'")


def push_ref(origin: Paths, source: str, ref: str) -> None:
    """Push a branch or tag to the remote that `git push` would use, never by force.

    Hooks of this checkout are left out, as for commits; nothing is asked for at a terminal.

    Args:
        origin: The checkout.
        source: What is pushed, such as a commit.
        ref: What it is called there, such as `refs/heads/retrain/tickets/2026-11-29`.

    Raises:
        ServiceError: The remote is away or refused, in git's words.
    """
    remote = _words(origin.root, "config", "remote.pushDefault") or "origin"
    own = {
        **os.environ,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
    }
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(origin.root), "push", "--no-verify", "--porcelain", remote, f"{source}:{ref}"],  # noqa: S607
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PUSH_S,
            env=own,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceError(f"git push {remote}: {type(error).__name__}", f"git push {remote} {source}:{ref}") from error
    if done.returncode:
        raise ServiceError(_refusal(done.stdout, done.stderr, remote), f"git push {remote} {source}:{ref}")


def _refusal(out: str, err: str, remote: str) -> str:
    """What git says of a push that failed, in one line, without passwords."""
    lines = [line.strip() for line in (*err.splitlines(), *out.splitlines())]
    telling = [line for line in lines if line.startswith(("remote:", "fatal:", "!"))]
    words = [re.sub(r"^(remote:|fatal:|!)\s*|refs/\S+:\S+\s*", "", line).strip() for line in telling]
    words_shown = "; ".join(dict.fromkeys(word for word in words if word)) or "failed"
    return without_passwords(printable(f"git push {remote}: {words_shown[:300]}"))


def run_until(scratch: Scratch, stage: str, use_case: str, weights: Path | None = None) -> None:
    """Run the stages up to one, all of them anew: nothing is taken from earlier runs and nothing is kept in the cache.

    Args:
        scratch: The checkout.
        stage: The last one.
        use_case: Whose.
        weights: What folders of local language models are relative to; the checkout when None.

    Raises:
        StageFailedError: A stage ended badly; its own message stands above.
    """
    scratch.paths.dvc_yaml.with_name("dvc.lock").unlink(missing_ok=True)
    target = f"{stage}@{use_case}"
    given = {} if weights is None else {"TAILTUNE_WEIGHTS": str(weights)}
    done = _dvc(scratch, "repro", "--no-run-cache", "--no-commit", target, shown=True, given=given)
    if done.returncode:
        raise StageFailedError(target, done.returncode)


def _dvc(
    scratch: Scratch, *words: str, shown: bool = False, given: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    where = None if shown else subprocess.DEVNULL
    return subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "dvc", *words],
        cwd=scratch.paths.root,
        env=_environment(scratch, given or {}),
        stdout=where,
        stderr=where,
        check=False,
    )


def _environment(scratch: Scratch, given: Mapping[str, str]) -> dict[str, str]:
    root = scratch.paths.root
    return {
        "TAILTUNE_ANSWERS": str(scratch.origin.answers),  # what was paid for once is not paid for again
        **{name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))},
        "DVC_NO_ANALYTICS": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": str(root / "src"),
        "TAILTUNE_ROOT": str(root),
        "TAILTUNE_TRACKING_URI": f"sqlite:///{scratch.paths.mlflow_store / 'mlflow.db'}",
        **given,
    }


def _head(root: Path) -> str | None:
    """The commit that is checked out."""
    return _words(root, "rev-parse", "HEAD") or None


def _words(root: Path, *words: str) -> str:
    """What git answers; empty where it answers nothing."""
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return done.stdout.strip()


def _git(root: Path, *words: str) -> bool:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=_GIT_S, check=False)  # noqa: S603, S607
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _copy_tree(root: Path, folder: Path) -> None:
    for name in _TREE:
        source, target = root / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _use_cache_of(origin: Paths, folder: Path) -> None:
    """Share the origin's DVC cache and its local settings (remotes' credentials); no git below, DVC need not look."""
    config = ConfigParser(interpolation=None)
    config.read([origin.root / ".dvc" / "config.local"], encoding="utf-8")
    for section, key, value in (
        ("cache", "dir", str(origin.root / ".dvc" / "cache")),
        ("core", "no_scm", "true"),
        ("core", "analytics", "false"),
    ):
        if not config.has_section(section):
            config.add_section(section)
        if not (section == "cache" and config.has_option(section, key)):
            config.set(section, key, value)
    (folder / ".dvc").mkdir(parents=True, exist_ok=True)
    with (folder / ".dvc" / "config.local").open("w", encoding="utf-8") as out:
        config.write(out)
