"""A JSON body posted to a webhook, by Slack's own client. The address is a secret: it is in no error, log or report.

Slack's client follows redirects, sends again by itself and logs addresses; here it does none of these. Somebody else
decides when a message is sent again (services/outbox/), and a redirect might lead anywhere.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from slack_sdk.webhook import WebhookClient, WebhookResponse

from tailtune.core.errors import UsageError
from tailtune.core.printable import printable, shortened
from tailtune.core.secrets import without_key

STEP_S = 5.0
"""For each step of a request: to connect, to send, to wait for more."""
MOST_S = 10.0
"""For a request in all, also one whose answer drips."""
_MOST_BYTES, _LONGEST_REASON = 4096, 200
_SHORTEST_SECRET = 8
_SILENT = logging.Logger("tailtune.webhooks", logging.CRITICAL)  # stands outside logging's tree: no handler gets it
_SILENT.disabled = True


@dataclass(frozen=True)
class Posted:
    """One per attempt.

    Attributes:
        ok: Whether the server took it.
        reason: What came instead, for people; what came, when it was taken.
        status: HTTP status; None where no answer came.
        retry_after_s: When the server wants to be asked again; None where it does not say.
    """

    ok: bool
    reason: str
    status: int | None = None
    retry_after_s: float | None = None


class Webhook:
    """One per address.

    Args:
        variable: Environment variable that holds the address; messages name it instead.
        url: The address.
        step_s: For each step of a request.
        most_s: For a request in all.

    Raises:
        UsageError: The address is none, or is neither https nor of this machine.
    """

    def __init__(self, variable: str, url: str, step_s: float = STEP_S, most_s: float = MOST_S) -> None:
        self._variable, self._most_s = variable, most_s
        parts = _checked(variable, url.strip())
        self._secrets = [text for text in (parts.path.strip("/"), parts.query) if len(text) >= _SHORTEST_SECRET]
        self._client = _Client(url.strip(), step_s)

    def post(self, body: Mapping[str, Any]) -> Posted:
        """Send a body once, in bounded time. Raises nothing: what went wrong is the result.

        Limit: without an answer in time, nobody knows whether the server took it.
        """
        results: list[Posted] = []
        thread = threading.Thread(target=lambda: results.append(self._post(body)), daemon=True)
        thread.start()
        thread.join(self._most_s)
        return results[0] if results else Posted(False, f"no answer in {self._most_s:g} s")

    def _post(self, body: Mapping[str, Any]) -> Posted:
        try:
            answer = self._client.send_dict(dict(body))
        except Exception as error:  # a message that was not sent must not end the work that it is about
            cause = error.reason if isinstance(error, URLError) else error
            if isinstance(cause, TimeoutError):
                return Posted(False, f"no answer in {self._client.step_s:g} s")
            return Posted(False, self._shown(f"{type(cause).__name__}: {cause}"))
        status = answer.status_code
        if 200 <= status < 300:
            return Posted(True, f"{status} {self._shown(answer.body)}".strip(), status)
        if 300 <= status < 400:
            return Posted(False, f"{status}: it redirects, which is not followed; mend {self._variable}", status)
        reason = f"{status} {self._shown(answer.body)}".strip()
        return Posted(False, reason, status, _retry_after_s(answer.headers))

    def _shown(self, text: str) -> str:
        """What a server or library wrote, on one line, without a piece of the address."""
        for secret in self._secrets:
            text = without_key(text, secret, _SHORTEST_SECRET)
        return shortened(printable(" ".join(text.split())), _LONGEST_REASON)


class _Client(WebhookClient):
    """Slack's client, which follows no redirect, tries once, logs nothing and reads no endless answer."""

    def __init__(self, url: str, step_s: float) -> None:
        super().__init__(url, logger=_SILENT, retry_handlers=[])
        self.step_s = step_s

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        proxies = {} if self.proxy is None else {"http": self.proxy, "https": self.proxy}
        opener = build_opener(ProxyHandler(proxies), HTTPSHandler(context=self.ssl), _NoRedirects())
        try:
            answer = opener.open(req, timeout=self.step_s)
        except HTTPError as refusal:
            answer = refusal
        with answer:
            text = answer.read(_MOST_BYTES).decode("utf-8", "replace")
            headers = {name.lower(): value for name, value in answer.headers.items()}
            return WebhookResponse(url="", status_code=answer.status, body=text, headers=headers)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow none: the answer is then an error with its status."""


def _checked(variable: str, url: str) -> SplitResult:
    """The parts of an address that may be posted to.

    Raises:
        UsageError: It may not; the error shows nothing of it.
    """

    def refusal(why: str) -> UsageError:
        return UsageError(f"{variable}: {why}; expected https://host/path", f"set {variable} to that, or unset it")

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise refusal("not an address") from None
    if not host or not url.isascii() or any(letter.isspace() or not letter.isprintable() for letter in url):
        raise refusal("not an address")
    if parts.username is not None or parts.password is not None:
        raise refusal("holds a user")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise refusal("not https, and not of this machine")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """What `Retry-After` asks for, in seconds or as a date beside the server's own `Date`; None where it does not."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None
