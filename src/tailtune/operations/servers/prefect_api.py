"""Prefect's HTTP API, as far as servers, deployments and automations are looked after here; Prefect is not imported."""

from __future__ import annotations

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tailtune.core.errors import ServiceError
from tailtune.core.secrets import without_password

_TIMEOUT_S = 30.0
_PAGE = 200


@dataclass(frozen=True)
class PrefectApi:
    """One per server.

    Attributes:
        url: Of the API, such as http://127.0.0.1:4200/api.
    """

    url: str

    @property
    def ui(self) -> str:
        """Where a browser finds the server."""
        return self.url.removesuffix("/").removesuffix("/api")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, fine: Iterable[int] = ()) -> Any:
        """Send a request.

        Args:
            method: GET, POST, PATCH, PUT, DELETE.
            path: Below the API's address.
            body: Sent as JSON.
            fine: Statuses above 299 that are an answer, too: then None is returned.

        Returns:
            What was answered; None when nothing was.

        Raises:
            ServiceError: It does not answer, or refuses.
        """
        request = urllib.request.Request(  # noqa: S310
            f"{self.url.rstrip('/')}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **_authorization()},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
                text = response.read()
                return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            if error.code in fine:
                return None
            why = f"{error.code} {error.read(500).decode(errors='replace')}"
        except (OSError, ValueError) as error:
            why = str(getattr(error, "reason", None) or error)
        raise ServiceError(f"Prefect at {without_password(self.url)}: {method} {path}: {why}", "tailtune up") from None

    def all_of(self, path: str, body: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Every row of a filter, page after page."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.ask("POST", path, {**(body or {}), "limit": _PAGE, "offset": len(rows)})
            rows += page
            if len(page) < _PAGE:
                return rows


def named(name: str) -> str:
    """A name as a piece of a path."""
    return quote(name, safe="")


def _authorization() -> dict[str, str]:
    """As Prefect's own client finds it in the environment."""
    if pair := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    return {}
