"""Bearer tokens: shown once when they are made, kept as hashes."""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
from pathlib import Path

from tailtune.core.errors import TailTuneError, UsageError
from tailtune.core.json_text import read_object
from tailtune.core.private import private_file, private_folder
from tailtune.services import store

_BYTES = 32
log = logging.getLogger("tailtune.serving")


class Tokens:
    """One per server: which clients may ask. A token has 256 random bits, so a plain hash of it is enough.

    Args:
        file: Client → hash of its token; it is read again when it changes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at: tuple[int, int] | None = None
        self._clients: dict[str, str] = {}

    def client(self, authorization: str | None) -> str | None:
        """The client that an `Authorization` header belongs to; None for a wrong or missing token."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        self._refresh()
        return self._clients.get(hashed(token.strip()))

    def _refresh(self) -> None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            self._clients, self._read_at = {}, None
            return
        now = status.st_mtime_ns, status.st_ino
        if now != self._read_at:
            self._read_at = now
            try:
                self._clients = {digest: client for client, digest in _read(self._file).items()}
            except (TailTuneError, OSError) as error:
                log.error("tokens: %s; the clients of before may go on", error)


def hashed(token: str) -> str:
    """SHA-256 of a token, hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def add_token(file: Path, client: str) -> str:
    """Make a token for a client and keep its hash. Returns the token, which nobody can read again."""
    token = f"tt-{secrets.token_urlsafe(_BYTES)}"
    _write(file, _read(file) | {client: hashed(token)})
    return token


def remove_token(file: Path, client: str) -> None:
    """Let a client's token end.

    Raises:
        UsageError: There is no such client.
    """
    clients = _read(file)
    if client not in clients:
        raise UsageError(f"no client {client!r}; known are {', '.join(sorted(clients)) or 'none'}")
    _write(file, {name: digest for name, digest in clients.items() if name != client})


def clients(file: Path) -> list[str]:
    """Names of the clients that have a token, sorted."""
    return sorted(_read(file))


def _read(file: Path) -> dict[str, str]:
    return {str(name): str(digest) for name, digest in read_object(file).items()} if file.is_file() else {}


def _write(file: Path, clients: dict[str, str]) -> None:
    private_folder(file.parent)
    with store.written_whole(file) as part:
        private_file(part)
        part.write_text(json.dumps(dict(sorted(clients.items())), indent=2) + "\n", encoding="utf-8")
