"""A Prefect server for one run: it ends with the process that needs it, however that ends, and keeps its database.

Prefect would start one itself, but that one outlives a killed run, hears Ctrl-C before the run has recorded its end,
and registers block types that no flow here uses.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from tailtune.core.errors import ServiceError

STARTUP_S = 120.0
_ENVIRONMENT = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
}


class TemporaryServer:
    """One per run without a Prefect server of its own.

    Args:
        folder: Where its database and log stay, so that a later server can show the runs.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "temporary-server.log"
        self._database = folder / "prefect.db"
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"

    def __enter__(self) -> TemporaryServer:
        self._socket.listen(128)
        environment = {
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self._database}",
            **os.environ,
            **_ENVIRONMENT,
        }
        environment.pop("PREFECT_API_URL", None)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(self._socket.fileno()), str(os.getpid())],
                env=environment,
                pass_fds=[self._socket.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the run, which then records how it ended
            )
        self._socket.close()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + STARTUP_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=1).close()  # noqa: S310
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        last = self._log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
        raise ServiceError(f"{self._log}: the temporary Prefect server did not start: {last}", f"less {self._log}")


def _serve(descriptor: int, parent: int) -> None:
    import uvicorn

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(0)

    threading.Thread(target=leave_with_parent, daemon=True).start()
    application = "prefect.server.api.server:create_app"
    server = uvicorn.Server(uvicorn.Config(application, factory=True, log_level="error", lifespan="on"))
    server.run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
