"""A server that speaks the OpenAI protocol with a pretended model behind it: `/v1/chat/completions`, `/v1/models`.

In tests:

    with Double(Skilled({"charged twice": {"label": "billing"}})) as double:
        spec = LanguageModelSpec(name="small", endpoint=double.url)
        double.conduct.next(Mishap(status=429, retry_after_s=0.1))

For a person, to try TailTune without an account:

    python tests/doubles/endpoint.py --port 8099 --truth data/support-tickets/tickets.jsonl --text text --label label

What it does not do: streams, several choices, tools, images, TLS.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

if not __package__:  # run as a program: the folder tests/ is not on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from doubles.conduct import Conduct, Mishap
from doubles.loopback import Loopback
from doubles.prompts import question
from doubles.skill import Skill, Skilled, always

_DRIP_S = 0.05


@dataclass(frozen=True)
class Seen:
    """One per request for an answer, whatever came of it.

    Attributes:
        body: As it was sent.
        headers: With names in lower case.
        at: Seconds on `time.monotonic`.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str]
    at: float

    @property
    def text(self) -> str:
        """The text under question."""
        return question(self.body["messages"])


class Double(Loopback):
    """The server, on a free port of this machine; a context manager.

    Args:
        skill: What it says; `{"label": "a"}` to everything when None.
        conduct: How it behaves.
        port: 0 takes a free one.

    Attributes:
        url: Base URL for a spec.
        conduct: May be changed while it runs.
        seen: Requests for answers, in order of arrival.
        most_at_once: Requests in its hands at once, at most.
        input_tokens: Words of the prompts that were answered, summed.
        output_tokens: Words of the answers, summed.
    """

    def __init__(self, skill: Skill | None = None, conduct: Conduct | None = None, port: int = 0) -> None:
        self.skill: Skill = skill or always('{"label": "a"}')
        self.conduct = conduct or Conduct()
        self.seen: list[Seen] = []
        self.most_at_once = self.input_tokens = self.output_tokens = 0
        self._at_once, self._answered = 0, Counter[str]()
        super().__init__(_Handler, port)
        self.url = f"{self.root}/v1"

    def __enter__(self) -> Double:
        super().__enter__()
        return self

    def arrive(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> Mishap | None:
        """Note a request. Returns what goes wrong with it, if anything."""
        with self.lock:
            self.seen.append(Seen(body, headers, time.monotonic()))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if self.conduct.coming:
                return self.conduct.coming.popleft()
            every = self.conduct.every
            return self.conduct.mishap if every and len(self.seen) % every == 0 else None

    def leave(self) -> None:
        """A request is out of its hands."""
        with self.lock:
            self._at_once -= 1

    def answer(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The chat completion that a request gets."""
        form = (body.get("response_format") or {}).get("type")
        schema = body["response_format"]["json_schema"]["schema"] if form == "json_schema" else None
        answers = json.dumps([body["model"], body["messages"]])
        with self.lock:
            n = self._answered[answers]
            self._answered[answers] += 1
        text = self.skill(body["model"], body["messages"], schema, n)
        given = sum(len(one["content"].split()) for one in body["messages"])
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        written = limit if limit and self.conduct.finish == "length" else min(len(text.split()), limit or 10**9)
        with self.lock:
            self.input_tokens += given
            self.output_tokens += written
        message = {"role": "assistant", "content": text, **self.conduct.message}
        choice = {"index": 0, "message": message, "finish_reason": self.conduct.finish}
        usage = {"prompt_tokens": given, "completion_tokens": written, "total_tokens": given + written}
        details = {"prompt_tokens_details": {"cached_tokens": int(given * self.conduct.cached_share)}}
        whole = {
            "id": f"chat-{n}",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
        }
        if self.conduct.bill is not None:
            return {**whole, "usage": self.conduct.bill(given, written)}
        return {**whole, "usage": {**usage, **details}} if self.conduct.usage else whole


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer in one piece, as real servers send it
    server: Any

    def log_message(self, *_: Any) -> None:
        """Says nothing: tests read what was seen."""

    def do_GET(self) -> None:
        conduct = self.server.double.conduct
        if self.path != "/v1/models" or not conduct.lists_models:
            self._send(404, {"detail": "Not Found"})
        elif self._wrong_key():
            self._refuse(401, "Incorrect API key provided", "invalid_api_key")
        else:
            self._send(200, {"object": "list", "data": [{"id": name, "object": "model"} for name in conduct.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self._send(404, {"detail": "Not Found"})
            return
        double = self.server.double
        mishap = double.arrive(body, {name.lower(): value for name, value in self.headers.items()})
        try:
            if not self._refused(body):
                self._answer(body, mishap)
        finally:
            double.leave()

    def _wrong_key(self) -> bool:
        key = self.server.double.conduct.key
        return key is not None and self.headers["authorization"] != f"Bearer {key}"

    def _refused(self, body: Mapping[str, Any]) -> bool:
        """Refuse what a request should not have; in OpenAI's words."""
        conduct, model = self.server.double.conduct, body["model"]
        prompt = " ".join(one["content"] for one in body["messages"])
        form = (body.get("response_format") or {}).get("type")
        unknown = next((name for name in conduct.refuses if name in body), None)
        if self._wrong_key():
            given = (self.headers["authorization"] or "").removeprefix("Bearer ")
            return self._refuse(401, f"Incorrect API key provided: {given}", "invalid_api_key")
        if conduct.models and model not in conduct.models:
            return self._refuse(404, f"The model `{model}` does not exist", "model_not_found")
        if unknown is not None:
            instead = ". Use 'max_completion_tokens' instead." if unknown == "max_tokens" else " with this model."
            return self._refuse(
                400, f"Unsupported parameter: '{unknown}' is not supported{instead}", "unsupported_parameter"
            )
        if form is not None and form not in conduct.forms:
            return self._refuse(400, f"Invalid parameter: 'response_format' of type '{form}' is not supported", None)
        if conduct.context_words is not None and len(prompt.split()) > conduct.context_words:
            text = f"This model's maximum context length is {conduct.context_words} tokens"
            return self._refuse(400, text, "context_length_exceeded")
        if conduct.filters is not None and conduct.filters in prompt:
            if conduct.filtered is not None:
                self._send_raw(conduct.filtered)
                return True
            return self._refuse(400, "The response was filtered due to the content management policy", "content_filter")
        return False

    def _answer(self, body: Mapping[str, Any], mishap: Mishap | None) -> None:
        double = self.server.double
        kind = mishap.kind if mishap is not None else ""
        if mishap is not None and kind == "status":
            after = {} if mishap.retry_after_s is None else {"Retry-After": f"{mishap.retry_after_s:g}"}
            self._send(mishap.status, {"error": {"message": mishap.message, "type": "server_error"}}, after)
            return
        if mishap is not None and kind == "raw":
            self._send_raw(mishap)
            return
        if kind == "error in 200":
            self._send(200, {"error": {"message": mishap.message if mishap else "", "code": 502}})
            return
        if kind == "hang up":
            self.close_connection = True
            return
        if kind == "stall":
            double.closing.wait()
            self.close_connection = True
            return
        answer = double.answer(body)
        choice = answer["choices"][0]
        words = len(str(choice["message"]["content"] or "").split())
        double.closing.wait(double.conduct.latency_s + double.conduct.token_s * words)
        if kind == "empty":
            answer["choices"] = []
        if kind == "null":
            choice["message"]["content"] = None
        content = json.dumps(answer).encode()
        if kind == "broken":
            content = content[: len(content) // 2]
        if kind == "drip":
            self._drip(content)
        else:
            self._send_bytes(200, content, double.conduct.headers)

    def _refuse(self, status: int, message: str, code: str | None) -> bool:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self._send(status, {"error": error})
        return True

    def _send(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._send_bytes(status, json.dumps(value).encode(), headers or {})

    def _send_bytes(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self._head(status, len(content), headers)
        self.wfile.write(content)

    def _send_raw(self, mishap: Mishap) -> None:
        content = mishap.content
        whole = content if isinstance(content, bytes) else json.dumps(content).encode()
        self._send_bytes(mishap.status, whole, mishap.headers)

    def _head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self, content: bytes) -> None:
        """A byte now and then: no pause is long, the whole is."""
        self._head(200, len(content), {})
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.double.closing.wait(_DRIP_S):
                return


def main() -> None:
    """Serve until Ctrl-C, with the truth from a file."""
    ask = argparse.ArgumentParser(description="Pretend to be a language model behind an OpenAI-compatible endpoint.")
    ask.add_argument("--port", type=int, default=8099)
    ask.add_argument("--truth", type=Path, required=True, help="JSON lines with texts and their true answers")
    ask.add_argument("--text", default="text", help="name of the text")
    ask.add_argument("--label", default="label", help="name of the label, or of the object with the fields")
    for name, share in (("base", 0.6), ("strong", 0.9), ("evidence", 0.98), ("invalid", 0.0), ("wavers", 0.0)):
        ask.add_argument(f"--{name}", type=float, default=share, help=f"share, 0 to 1 (default {share})")
    ask.add_argument("--latency", type=float, default=0.0, help="seconds before an answer")
    given = ask.parse_args()
    truth: dict[str, Mapping[str, Any]] = {}
    for line in given.truth.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        answer = row[given.label]
        truth[row[given.text]] = answer if isinstance(answer, dict) else {"label": answer}
    skill = Skilled(truth, given.base, given.strong, given.evidence, (), given.invalid, given.wavers)
    with Double(skill, Conduct(latency_s=given.latency), given.port) as double:
        print(f"{len(truth):,} texts known; endpoint: {double.url}", flush=True)
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            print(f"{len(double.seen):,} requests", flush=True)


if __name__ == "__main__":
    main()
