"""`python keeper.py PID COMMAND …`: run a command until that process is gone, then end its whole group."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    run = int(sys.argv[1])
    server = subprocess.Popen(sys.argv[2:])
    while is_there(run) and server.poll() is None:
        time.sleep(0.5)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(0, signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)
