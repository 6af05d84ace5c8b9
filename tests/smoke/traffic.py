"""A client of the prediction server that asks all the time, and remembers every answer."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from smoke.tickets import Ticket


@dataclass(frozen=True)
class Response:
    """One per request.

    Attributes:
        request_id: As the server answered it.
        version: That answered; empty where none did.
        answer: The label.
        fault: What went wrong; empty when nothing did.
    """

    ticket: Ticket
    request_id: str
    version: str
    answer: str
    fault: str = ""


class Client:
    """One per story."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self.responses: list[Response] = []

    def ask(self, ticket: Ticket) -> Response:
        """Ask about a ticket."""
        try:
            answer = self._post("predict", {"text": ticket.text})
            response = Response(ticket, answer["request_id"], answer["version"], answer["answers"][0]["answer"])
        except urllib.error.HTTPError as error:
            response = Response(ticket, "", "", "", f"{error.code} {error.read(200).decode(errors='replace')}")
        except OSError as error:
            response = Response(ticket, "", "", "", str(error))
        self.responses.append(response)
        return response

    def correct(self, response: Response, who: str) -> None:
        """Send the right answer to what it answered."""
        label = response.ticket.right
        answer = self._post("feedback", {"request_id": response.request_id, "label": label, "who": who})
        assert answer == {"kept": True}

    @contextmanager
    def asking(self, tickets: Sequence[Ticket], pause_s: float) -> Iterator[None]:
        """Ask about tickets over and over, beside what the caller does."""
        end = threading.Event()

        def go_on() -> None:
            number = 0
            while not end.wait(pause_s):
                self.ask(tickets[number % len(tickets)])
                number += 1

        thread = threading.Thread(target=go_on, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join(timeout=30)

    def wait_for_version(self, version: str, ticket: Ticket, most_s: float) -> None:
        """Ask until a version answers."""
        end = time.monotonic() + most_s
        while self.ask(ticket).version != version:
            assert time.monotonic() < end, self.responses[-1]
            time.sleep(0.2)

    def is_refused_without_token(self, ticket: Ticket) -> bool:
        """Whether somebody who shows none is sent away."""
        stranger = Client(self._url, "")
        return stranger.ask(ticket).fault.startswith("401 ")

    def _post(self, path: str, body: dict[str, object]) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self._url}/{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer: dict[str, Any] = json.load(response)
        return answer
