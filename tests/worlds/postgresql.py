"""A PostgreSQL server of its own on loopback, for tests marked `servers`; it ends with the test that started it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from worlds.parts import missing

_numbers = count()


@dataclass(frozen=True)
class Server:
    """One per server: its folder, its port, and how its programs are called."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def new_database(self) -> str:
        """The address of a database of its own, empty."""
        from sqlalchemy import create_engine, text

        name = f"db{next(_numbers)}"
        engine = create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url.removesuffix("postgres") + name

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self._call("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        """At once, connections and all."""
        self._call("pg_ctl", "-D", "data", "-m", "immediate", "stop")

    def make(self) -> None:
        self._call("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C")

    def _call(self, program: str, *words: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*as_user, str(self.programs / program), *words]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()


def programs() -> Path | None:
    """The folder with PostgreSQL's programs: on the path, or where Debian puts them; None without any."""
    called = shutil.which("initdb")
    if called is not None:
        return Path(called).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def open_the_way(folder: Path) -> None:
    """Let the user postgres reach a folder, where tests run as root: pytest's own folders are closed to others."""
    for above in folder.parents:
        if os.geteuid() == 0 and above.stat().st_uid == 0 and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o001)


@contextmanager
def postgresql(folder: Path) -> Iterator[Server]:
    """A running server in an empty folder; skips the test where PostgreSQL or its Python driver is not installed."""
    if find_spec("psycopg2") is None:
        missing("the driver of PostgreSQL", "pip install 'tailtune[postgres]'")
    found = programs() or missing("PostgreSQL", "apt-get install postgresql")
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        open_the_way(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Server(found, folder, port)
    server.make()
    server.start()
    try:
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").is_file():
            server.stop()
