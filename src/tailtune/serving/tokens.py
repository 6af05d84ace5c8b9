"""Bearer tokens: shown once when they are made, kept as hashes."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from tailtune.core.errors import UsageError
from tailtune.core.json_text import read_object
from tailtune.core.private import private_file, private_folder
from tailtune.services import store

_BYTES = 32


class Tokens:
    """One per server: which clients may ask. A token has 256 random bits, so a plain hash of it is enough.

    Args:
        file: Client → hash of its token; it is read again when it changes.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read_at = -1
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
            now = self._file.stat().st_mtime_ns
        except FileNotFoundError:
            self._clients, self._read_at = {}, -1
            return
        if now != self._read_at:
            self._clients = {digest: client for client, digest in _read(self._file).items()}
            self._read_at = now


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
    private_file(file)
    store.write_json(file, dict(sorted(clients.items())))
