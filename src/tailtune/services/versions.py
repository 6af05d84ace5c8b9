"""DVC and git: which stage is stale, what data is pinned, which code and data these are. Only here."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, chdir, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from tailtune.config.paths import Paths
from tailtune.core.errors import BusyError, ServiceError, TailTuneError, UsageError
from tailtune.core.secrets import without_passwords

_PATIENCE_S = 0.5
_LOCKED_S = 600.0
"""How long another DVC command, such as a push, may have the checkout; a life must not end because of it."""
_LEAVING_S = 3.0
"""How long a run whose command was killed may take to let go."""
CODE_PATHS = ("src", "flows", "models", "dvc.yaml", "data.dvc")
"""What a commit must hold for a run to be told from it; reports and docs may be dirty."""


def run_stale(paths: Paths, stage: str, use_case: str, work: Callable[[str], None], force: bool = False) -> bool:
    """Do the work of one stage of a use case if what it reads has changed, and tell DVC what came of it.

    Afterwards `dvc.lock` is as if `dvc repro` had run the stage. What the stage reads and writes is locked meanwhile,
    for DVC's own commands too. Nothing is restored from DVC's cache: a restored stage would leave no runs and no
    version in MLflow, so what is not fresh is really run.

    Args:
        paths: The checkout.
        stage: Name of the stage, as in dvc.yaml.
        use_case: Its item.
        work: Makes the stage's outputs anew; gets the command that dvc.yaml has for them.
        force: Work although nothing changed.

    Returns:
        True when it was done, False when the stage was fresh.

    Raises:
        BusyError: Another process works on this stage's files, or another DVC command has the checkout for ten minutes.
        UsageError: dvc.yaml has no such stage, or a file the stage reads is missing.
        ServiceError: DVC failed in another way.
    """
    target = f"{stage}@{use_case}"
    with ExitStack() as busy:
        with _repo(paths, use_case, stage) as repo, _locked(repo):
            _forget_the_dead(Path(repo.tmp_dir) / "rwlock")
            if not force and not repo.status(targets=[target]):
                return False
            (declared,) = repo.stage.collect(target)
            missing = [dep.def_path for dep in declared.deps if not dep.exists]
            if missing:
                raise _missing(", ".join(missing), paths, use_case)
            busy.enter_context(_in_use(repo, declared))
        work(declared.cmd)
        _commit(paths, use_case, stage)
    return True


def is_stale(paths: Paths, use_case: str) -> list[str]:
    """Stages of a use case that are stale now, in the order of dvc.yaml; later ones may become so when these run.

    Raises:
        ServiceError: DVC failed.
    """
    with _repo(paths, use_case) as repo, _locked(repo):
        targets = [stage.name for stage in _stages(repo, use_case)]
        changed = repo.status(targets=targets) if targets else {}
    order = list(_read_yaml(paths.dvc_yaml).get("stages", {}))
    names = {target.partition("@")[0] for target in changed}
    return [stage for stage in order if stage in names]


def pin_data(paths: Paths, use_case: str | None = None) -> str:
    """Take the bytes of data/ into DVC's cache and write their hash to data.dvc.

    Args:
        paths: The checkout.
        use_case: Renew only its folder; what data.dvc pins for others stays, whether or not their rows are here.

    Returns:
        The hash of all of data/ (DVC's md5 of the folder, with its suffix `.dir`).

    Raises:
        UsageError: There is no data/, or pinning would drop the rows of a use case that are not here.
        BusyError: Another process works on this checkout.
    """
    if not paths.data.is_dir():
        raise UsageError(f"{paths.shown(paths.data)}: no such folder", "tailtune sample support-tickets")
    with _repo(paths) as repo, _locked(repo):
        _forget_the_dead(Path(repo.tmp_dir) / "rwlock")
        before = data_hash(paths)
        if use_case is not None and before is not None and _listing(repo, before) is not None:
            repo.add([str(paths.case(use_case).data)])
        else:
            if use_case is not None and before is not None:
                refuse_gaps(paths)
            repo.add([str(paths.data)])
    pinned = data_hash(paths)
    if pinned is None:
        raise ServiceError(f"{paths.shown(paths.data_dvc)}: DVC wrote no hash", "dvc add data --verbose")
    return pinned


def without_rows(paths: Paths) -> list[str]:
    """Use cases whose rows are not here."""
    return [name for name in paths.use_cases() if not paths.case(name).data.is_dir()]


def refuse_gaps(paths: Paths) -> None:
    """Make sure that all of data/ is here before all of it is pinned.

    Raises:
        UsageError: Rows are missing, and pinning would drop them.
    """
    missing = without_rows(paths)
    if missing:
        raise UsageError(
            f"data/: no rows of {', '.join(missing)}; pinning data/ now would drop them from data.dvc",
            "dvc pull data.dvc",
        )


def data_hash(paths: Paths) -> str | None:
    """The hash of data/ that data.dvc pins; None when nothing is pinned."""
    if not paths.data_dvc.is_file():
        return None
    try:
        outs = _read_yaml(paths.data_dvc).get("outs") or [{}]
        pinned = outs[0].get("md5")
        if pinned is not None and outs[0].get("path") != paths.data.name:  # cut off behind the hash
            raise KeyError("path")
    except (AttributeError, KeyError, TypeError, IndexError):
        raise _unreadable(paths.data_dvc, "it pins nothing") from None
    return None if pinned is None else str(pinned)


def data_is_pinned(paths: Paths, use_case: str | None = None) -> bool:
    """Whether data/, or only a use case's folder of it, holds exactly the bytes that data.dvc pins."""
    folder = paths.data if use_case is None else paths.case(use_case).data
    if data_hash(paths) is None or not folder.is_dir():
        return False
    with _repo(paths) as repo, _locked(repo):
        if not repo.status(targets=[str(paths.data_dvc)]):
            return True
        return use_case is not None and _rows_are_pinned(repo, paths, use_case)


def remote(paths: Paths) -> str | None:
    """Name of the DVC remote that push and pull use; None when there is none."""
    with _repo(paths) as repo:
        name = repo.config["core"].get("remote")
        return None if name is None else str(name)


def pull(paths: Paths, use_case: str) -> int:
    """Fetch a use case's data and outputs from the DVC remote into the checkout. Returns the number of files fetched.

    Raises:
        ServiceError: The remote lacks the bytes or is away, or there is no remote.
    """
    with _repo(paths, use_case) as repo, _remote_errors(repo):
        targets = [str(paths.case(use_case).data), *(stage.name for stage in _stages(repo, use_case))]
        return int(repo.pull(targets=targets)["stats"]["fetched"])


def push(paths: Paths, use_case: str) -> int:
    """Send a use case's data and outputs from the checkout's cache to the DVC remote. Returns the files sent.

    Raises:
        ServiceError: The remote does not take them or is away, or there is no remote.
    """
    with _repo(paths, use_case) as repo, _remote_errors(repo):
        targets = [str(paths.case(use_case).data), *(stage.name for stage in _stages(repo, use_case))]
        return int(repo.push(targets=targets))


def git_commit(root: Path) -> str | None:
    """The commit that is checked out; None without git or before the first commit."""
    return _git(root, "rev-parse", "--verify", "--quiet", "HEAD") or None


def git_dirty(root: Path) -> bool:
    """Whether code, flows, specs or data pins differ from the commit; False without git."""
    return bool(_git(root, "status", "--porcelain", "--", *(name for name in CODE_PATHS if (root / name).exists())))


def changes(root: Path, files: Sequence[Path]) -> list[datetime]:
    """When any of some files or folders was changed by a commit, oldest first; empty without git.

    Limit: merges and renames count as git counts them; a history that was cut off when cloned shows its end only.
    """
    known = [str(file.relative_to(root)) for file in files]
    return sorted(map(datetime.fromisoformat, _git(root, "log", "--format=%cI", "--", *known).split()))


def data_changes(paths: Paths, use_case: str) -> list[datetime]:
    """When a use case's rows were changed by a commit of data.dvc, oldest first; empty without git or DVC.

    data.dvc pins the rows of all use cases in one hash. What it pinned for this one stands in the listing that DVC's
    cache has under that hash.

    Limit: where the local cache lacks the listing of a commit, or of the one before it, the commit is not counted.
    """
    log = _git(paths.root, "log", "--reverse", "--format=%H %cI", "--", paths.data_dvc.name).splitlines()
    if not log or not (paths.root / ".dvc").is_dir():
        return []
    case = paths.case(use_case)
    by_people = [file.relative_to(paths.data).as_posix() for file in (case.corrections, case.feedback, case.audits)]
    moments: list[datetime] = []
    before: dict[str, str] | None = {}
    with _repo(paths, use_case) as repo:
        for commit, at in map(str.split, log):
            pinned = re.search(r"md5: (\w+\.dir)$", _git(paths.root, "show", f"{commit}:./data.dvc"), re.MULTILINE)
            listing = None if pinned is None else _listing(repo, pinned[1])
            rows = None if listing is None else _of_use_case(listing, use_case)
            for file in by_people:  # what is right has not changed when a wrong label is corrected
                (rows or {}).pop(file, None)
            if rows is not None and before is not None and rows != before:
                moments.append(datetime.fromisoformat(at))
            before = rows
    return moments


def pinned_files(paths: Paths, pin: str, use_case: str) -> dict[str, str] | None:
    """File of a use case → its hash, as a hash of data/ pins them; None where DVC's cache does not have the listing."""
    if not (paths.root / ".dvc").is_dir():
        return None
    with _repo(paths, use_case) as repo:
        listing = _listing(repo, pin)
    if listing is None:
        return None
    return {name.partition("/")[2]: digest for name, digest in _of_use_case(listing, use_case).items()}


def pinned_bytes(paths: Paths, digest: str) -> bytes | None:
    """A pinned file's bytes by its hash; None where DVC's cache does not have them."""
    with _repo(paths) as repo:
        file = Path(repo.cache.local.oid_to_path(digest))
    return file.read_bytes() if file.is_file() else None


def changed_between(root: Path, commit: str, files: Sequence[Path]) -> list[str]:
    """Which of some files and folders differ between a commit and what is checked out as committed.

    None do without git, and where the commit is not known here.
    """
    known = [str(file.relative_to(root)) for file in files]
    return _git(root, "diff", "--name-only", commit, "HEAD", "--", *known).splitlines()


def _git(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "--no-optional-locks", "-C", str(root), *words],  # noqa: S607 - killed, it leaves no index.lock
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _read_yaml(path: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return dict(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {})
    except (YAMLError, ValueError, TypeError, RecursionError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> UsageError:
    """A file of DVC that was torn, or that a merge has left with marks; git has it whole."""
    return UsageError(
        f"{path.name}: cannot be read (torn, or marks of a merge in it): {why.partition(chr(10))[0]}",
        f"git checkout HEAD -- {path.name}",
    )


def _listing(repo: Any, digest: str) -> dict[str, str] | None:
    """File below data/ → its hash, as DVC's cache has it under the hash of the folder; None when it does not."""
    try:
        entries = json.loads(Path(repo.cache.local.oid_to_path(digest)).read_text(encoding="utf-8"))
        return {entry["relpath"]: entry["md5"] for entry in entries}
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        return None


def _of_use_case(listing: Mapping[str, str], use_case: str) -> dict[str, str]:
    return {file: digest for file, digest in listing.items() if file.startswith(f"{use_case}/")}


def _rows_are_pinned(repo: Any, paths: Paths, use_case: str) -> bool:
    """Whether a use case's folder of data/ is as pinned; False when the cache does not know what is pinned."""
    digest = data_hash(paths)
    pinned = None if digest is None else _listing(repo, digest)
    if pinned is None:
        return False
    files = (path for path in paths.case(use_case).data.rglob("*") if path.is_file())
    here = {
        path.relative_to(paths.data).as_posix(): _md5(path)
        for path in files
        if not repo.dvcignore.is_ignored_file(str(path))
    }
    return here == _of_use_case(pinned, use_case)


def _md5(path: Path) -> str:
    """A file's hash as DVC's cache has it."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _stages(repo: Any, use_case: str) -> list[Any]:
    return [stage for stage in repo.index.stages if (getattr(stage, "name", None) or "").endswith(f"@{use_case}")]


@contextmanager
def _repo(paths: Paths, use_case: str | None = None, stage: str | None = None) -> Iterator[Any]:
    """DVC on this checkout, silent, its errors told as ours. It works from the root only: not for threads."""
    import dvc.logger  # noqa: F401 - DVC's own levels must exist before its loggers are used
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    logging.getLogger("dvc_data").setLevel(logging.CRITICAL)
    logging.getLogger("dvc_objects").setLevel(logging.CRITICAL)
    try:
        with chdir(paths.root), Repo(str(paths.root), config=_without_git(paths.root)) as repo:
            _mend(repo)
            yield repo
    except (KeyError, TypeError, AttributeError):  # as DVC's own reader ends at a file that is cut off
        data_hash(paths)
        raise
    except DvcException as error:
        raise _explained(error, paths, use_case, stage) from error
    except OSError as error:
        raise ServiceError(f"DVC: {error}", "make room or mend the permissions, then run again") from error


@contextmanager
def _remote_errors(repo: Any) -> Iterator[None]:
    """Errors of a remote's own library, such as botocore's of S3 that is away: DVC passes them on as they are."""
    from dvc.exceptions import DvcException

    try:
        yield
    except (DvcException, OSError, TailTuneError):
        raise
    except Exception as error:
        line = next(iter(str(error).strip().splitlines()), "")
        what = without_passwords(f"{type(error).__name__}: {line}" if line else type(error).__name__)
        name = repo.config["core"].get("remote") or "(none)"
        raise ServiceError(f"the DVC remote {name} does not answer as it should: {what}", "dvc push") from error


def _without_git(root: Path) -> dict[str, Any]:
    """Settings that let DVC work in a folder that is no git repository, such as an unpacked archive; else none."""
    from dvc.scm import SCM, SCMError

    try:
        SCM(str(root)).close()
    except SCMError:
        return {"core": {"no_scm": True}}
    return {}


@contextmanager
def _locked(repo: Any, patience_s: float | None = None) -> Iterator[None]:
    """Hold the checkout, for several calls of DVC.

    Args:
        repo: DVC's repository.
        patience_s: How long to wait for another DVC command, which is said; ten minutes when None.

    Raises:
        LockError: Somebody else holds it after so long.
    """
    from dvc.lock import LockError
    from dvc.repo import lock_repo

    deadline, is_said = time.monotonic() + (_LOCKED_S if patience_s is None else patience_s), False
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock_repo(repo))
                break
            except LockError:
                if time.monotonic() > deadline:
                    raise
            if not is_said:
                print(f"{repo.root_dir}: another DVC command has the checkout; waiting for it", file=sys.stderr)
                is_said = True
        yield


def _in_use(repo: Any, stage: Any) -> AbstractContextManager[None]:
    """Note what a stage reads and writes in DVC's list of paths in use, as `dvc repro` does while a stage runs."""
    from dvc.rwlock import rwlock

    reads, writes = ([str(item.fs_path) for item in items] for items in (stage.deps, stage.outs))
    hard = repo.config["core"].get("hardlink_lock", False)
    lock: AbstractContextManager[None] = rwlock(repo.tmp_dir, repo.fs, " ".join(sys.argv), reads, writes, hard)
    return lock


def _commit(paths: Paths, use_case: str, stage: str) -> None:
    """Write down in dvc.lock what a stage has read and written. Its work is done: wait while another DVC is busy."""
    while True:
        try:
            with _repo(paths, use_case, stage) as repo, _locked(repo), _lock_kept(repo):
                repo.commit(f"{stage}@{use_case}", force=True)
            return
        except BusyError:
            time.sleep(_PATIENCE_S)


def _mend(repo: Any) -> None:
    """Put right what a kill has torn of DVC's own files: it cannot even say what is stale with them."""
    from dvc.lock import LockError, make_lock

    tmp, hard = Path(repo.tmp_dir), repo.config["core"].get("hardlink_lock", False)
    with suppress(LockError):  # somebody writes them now, so nothing was killed
        if _lock_and_copy(repo)[1].is_file():
            with _locked(repo, patience_s=0):
                _restore_lock(repo)
        if _is_torn(tmp / "rwlock"):
            with make_lock(str(tmp / "rwlock.lock"), tmp_dir=str(tmp), hardlink_lock=hard):
                _forget_the_dead(tmp / "rwlock")
                return
    with suppress(OSError, ValueError, OverflowError, AttributeError, TypeError, KeyError):
        deadline = time.monotonic() + _LEAVING_S
        while any(_is_leaving(*holder) for holder in _holders(tmp / "rwlock")) and time.monotonic() < deadline:
            time.sleep(0.1)


def _holders(rwlock: Path) -> list[tuple[int, str]]:
    """Process number and command of each entry in DVC's list of paths in use."""
    entries = json.loads(rwlock.read_text(encoding="utf-8"))
    readers = [reader for readers in entries.get("read", {}).values() for reader in readers]
    return [(int(holder["pid"]), str(holder.get("cmd"))) for holder in (*entries.get("write", {}).values(), *readers)]


def _is_leaving(pid: int, command: str) -> bool:
    """Whether a process is that of a run whose command was killed: it is about to notice, and to let go."""
    import psutil

    parent = re.search(r"--parent (\d+)", command)
    try:
        return parent is not None and psutil.Process(pid).ppid() != int(parent[1])
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False


def _is_torn(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


@contextmanager
def _lock_kept(repo: Any) -> Iterator[None]:
    """Keep a copy of dvc.lock while DVC writes it, which it does in place: a kill in the middle tears it."""
    lock, copy = _lock_and_copy(repo)
    part = copy.with_suffix(".part")
    part.write_bytes(lock.read_bytes() if lock.is_file() else b"")
    part.replace(copy)
    yield
    copy.unlink()


def _restore_lock(repo: Any) -> None:
    """Put dvc.lock back as it was before a commit that a kill or a full disk has cut off: its stage is then stale."""
    lock, copy = _lock_and_copy(repo)
    if not copy.is_file():
        return
    if copy.stat().st_size:
        copy.replace(lock)
    else:
        lock.unlink(missing_ok=True)
        copy.unlink()


def _lock_and_copy(repo: Any) -> tuple[Path, Path]:
    return Path(repo.root_dir) / "dvc.lock", Path(repo.tmp_dir) / "dvc.lock.before"


def _explained(error: Exception, paths: Paths, use_case: str | None, stage: str | None) -> TailTuneError:
    """The error a person can act on, for what DVC raised."""
    from dvc.exceptions import NotDvcRepoError
    from dvc.lock import LockError
    from dvc.stage.exceptions import MissingDataSource

    for file in (paths.dvc_yaml.with_name("dvc.lock"), paths.data_dvc):
        if file.is_file():
            _read_yaml(file)  # says which of them cannot be read; DVC's own words name no command
    cause = _innermost(error)
    text = str(cause).strip()
    again = f"dvc repro --verbose {stage}@{use_case}" if stage and use_case else "dvc status --verbose"
    match cause:
        case LockError():
            busy = re.search(r"\(PID (\d+)\): (.*)", text)
            holder = f"process {busy[1]} ({_run_of(busy[2])})" if busy else "another DVC process"
            return BusyError(
                f"{paths.root}: in use by {holder}; one run per use case and checkout",
                "wait for it, or stop it, then run the same command again",
            )
        case MissingDataSource():
            return _missing(text.partition(": ")[2], paths, use_case)
        case NotDvcRepoError():
            return UsageError(f"{paths.root}: no DVC repository", "dvc init")
    if "does not exist as" in text or ("not found" in text and "stage" in text.lower()):
        shown = paths.shown(paths.dvc_yaml)
        return UsageError(f"{shown}: {text}", "make graph")
    return ServiceError(f"DVC: {text or type(cause).__name__}", again)


def _innermost(error: BaseException) -> BaseException:
    """What DVC said first; below that stand only bare OS errors."""
    from dvc.exceptions import DvcException

    while isinstance(error.__cause__, DvcException):
        error = error.__cause__
    return error


def _run_of(command: str) -> str:
    """`tailtune run` with its use case where a command is the flow that it starts; else the command."""
    flow = re.search(r"flows/lifecycle\.py (\S+)", command)
    return f"tailtune run {flow[1]}" if flow else command


def _missing(names: str, paths: Paths, use_case: str | None) -> UsageError:
    hint = f"tailtune run {use_case}" if use_case else "dvc pull"
    if names.endswith("/prompts"):
        hint = f"tailtune prompts {use_case}"
    if any(Path(name).parts[:1] == ("data",) for name in names.split(", ")):
        shipped = use_case is not None and paths.generator(use_case).is_file()
        hint = f"tailtune sample {use_case}" if shipped else "dvc pull data.dvc"
    return UsageError(f"{names}: {use_case or 'a stage'} needs it and it is not there", hint)


def _forget_the_dead(rwlock: Path) -> None:
    """Drop what killed processes left in DVC's list of paths in use.

    DVC itself drops entries of processes that are gone, but not a list torn by a kill, nor an entry whose number a
    later process bears (after a restart of the machine or container).
    """
    import psutil

    try:
        written = rwlock.stat().st_mtime
        pids = [pid for pid, _ in _holders(rwlock)]
    except FileNotFoundError:
        return
    except (ValueError, OverflowError, AttributeError, TypeError, KeyError, RecursionError):
        rwlock.unlink(missing_ok=True)
        return
    for pid in pids:
        try:
            if psutil.Process(pid).create_time() <= written:
                return
        except (psutil.NoSuchProcess, ValueError, OverflowError):
            continue
    rwlock.unlink(missing_ok=True)
