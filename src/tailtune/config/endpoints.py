"""Which endpoints may be asked for a stored version: those that are declared here, each with the variable of its key.

A version in a registry says which address its texts go to and which environment variable is sent there as the key.
Whoever can write to the registry could name any address and any variable, so neither is taken from there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tailtune.config.prompting import LanguageModelSpec, address_fault
from tailtune.core.errors import UndeclaredEndpointError, UsageError
from tailtune.core.secrets import secret_in, without_password

VARIABLE = "TAILTUNE_ENDPOINTS"
_LISTED = re.compile(r"(?:(?P<key_env>[A-Z][A-Z0-9_]*)=)?(?P<url>https?://[^\s,]+)")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """One per place that texts may be sent to.

    Attributes:
        url: Base URL of the API, in its plainest spelling.
        key_env: Environment variable whose value is sent there as the key; None sends none.
    """

    url: str
    key_env: str | None = None

    @classmethod
    def of(cls, url: str, key_env: str | None) -> Address:
        """An address whose spelling does not matter: case of the host, the usual port, a slash at the end."""
        parts = urlsplit(url)
        host, scheme = (parts.hostname or "").lower(), parts.scheme.lower()
        try:
            port = parts.port
        except ValueError:  # not a number: equal to nothing that can be asked
            return cls(url, key_env)
        where = host if port in (None, _PORTS.get(scheme)) else f"{host}:{port}"
        user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
        query = f"?{parts.query}" if parts.query else ""
        return cls(f"{scheme}://{user}{where}{parts.path.rstrip('/')}{query}", key_env)

    def __str__(self) -> str:
        return f"{self.key_env}={self.url}" if self.key_env else self.url


def declared_addresses(models: Iterable[LanguageModelSpec], listed: str | None) -> frozenset[Address]:
    """Where texts may be sent: to the models of a use case, and to what `TAILTUNE_ENDPOINTS` lists.

    Raises:
        UsageError: The list cannot be read.
    """
    declared = {Address.of(model.endpoint, model.key_env) for model in models if model.endpoint is not None}
    return frozenset(declared | set(listed_addresses(listed or "")))


def listed_addresses(text: str) -> frozenset[Address]:
    """Read a list such as `OPENAI_API_KEY=https://api.openai.com/v1 http://127.0.0.1:11434/v1`.

    Raises:
        UsageError: A word of it is neither a URL nor VARIABLE=URL.
    """
    addresses = set()
    for word in text.split():
        match = _LISTED.fullmatch(word)
        if match is None or address_fault(match["url"]) or secret_in(match["url"]):
            raise UsageError(
                f"{VARIABLE}: expected URLs, or VARIABLE=URL where a key is sent, with spaces between, and no password "
                "or key in a URL",
                f'export {VARIABLE}="OPENAI_API_KEY=https://api.openai.com/v1 http://127.0.0.1:11434/v1"',
            )
        addresses.add(Address.of(match["url"], match["key_env"]))
    return frozenset(addresses)


def require_declared(name: str, address: Address, declared: frozenset[Address], where: str) -> None:
    """Make sure that a stored model sends texts and keys only where this side wants them sent.

    Args:
        name: What the stored version calls its model.
        address: Where it would send them.
        declared: Where they may be sent. To a declared endpoint texts may also go without a key.
        where: What is to declare the endpoint, for the message.

    Raises:
        UndeclaredEndpointError: Its endpoint, or the key for it, is not declared.
    """
    if address in declared or (address.key_env is None and address.url in {other.url for other in declared}):
        return
    shown = Address(without_password(address.url), address.key_env)
    key = f" and the value of {shown.key_env}" if shown.key_env else ""
    there = f"{where} or {VARIABLE}" if where else VARIABLE
    raise UndeclaredEndpointError(
        f"{name}: not asked: it would send texts{key} to {shown.url}, which {there} does not declare",
        f'if you trust that address: export {VARIABLE}="{shown}", then run the same command again',
    )


def require_listed(spec: LanguageModelSpec) -> None:
    """For a model that answers outside of a project: where `TAILTUNE_ENDPOINTS` is set, only those are asked.

    Raises:
        UndeclaredEndpointError: The model's endpoint is not among them.
        UsageError: The list cannot be read.
    """
    listed = os.environ.get(VARIABLE, "").strip()
    if listed and spec.endpoint is not None:
        require_declared(spec.name, Address.of(spec.endpoint, spec.key_env), listed_addresses(listed), "")


@contextmanager
def also_listed(models: Iterable[LanguageModelSpec]) -> Iterator[None]:
    """While a new version is tried as a server would ask it, the models of its use case count as listed."""
    before = os.environ.get(VARIABLE, "").strip()
    if before:
        os.environ[VARIABLE] = " ".join(sorted(map(str, declared_addresses(models, before))))
    try:
        yield
    finally:
        if before:
            os.environ[VARIABLE] = before
