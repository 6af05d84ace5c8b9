"""Posting to a webhook: what came back, in bounded time, without a word of the address."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest
from doubles.slack import SECRET, Mishap, Slack

from tailtune.core.errors import UsageError
from tailtune.services.webhooks import Posted, Webhook

TOKEN = SECRET.rpartition("/")[2]
BODY = {"text": "hello"}


@pytest.fixture
def slack() -> Iterator[Slack]:
    with Slack() as running:
        yield running


def post(slack: Slack, mishap: Mishap | None = None) -> Posted:
    if mishap is not None:
        slack.coming.append(mishap)
    waits = {"step_s": 0.2, "most_s": 0.4} if mishap is not None and mishap.kind in ("hang", "drip") else {}
    return Webhook("TAILTUNE_SLACK_WEBHOOK", slack.url, **waits).post(BODY)


def test_a_message_arrives_once(slack: Slack) -> None:
    assert post(slack) == Posted(True, "200 ok", 200)
    assert (slack.taken, slack.requests) == ([BODY], 1)


@pytest.mark.parametrize(
    ("mishap", "reason", "status"),
    [
        (Mishap("status", 500, "server_error"), "500 server_error", 500),
        (Mishap("status", 404, "no_service"), "404 no_service", 404),
        (Mishap("status", 502, "<html>\n  bad gateway\x1b[31m"), "502 <html> bad gateway\\x1b[31m", 502),
        (Mishap("hang up"), "RemoteDisconnected: Remote end closed connection without response", None),
        (Mishap("hang"), "no answer in 0.2 s", None),
        (Mishap("drip"), "no answer in 0.4 s", None),
    ],
    ids=lambda value: value.kind if isinstance(value, Mishap) else None,
)
def test_each_fault_is_tried_once_and_named(slack: Slack, mishap: Mishap, reason: str, status: int | None) -> None:
    assert post(slack, mishap) == Posted(False, reason, status)
    assert (slack.taken, slack.requests) == ([], 1)


def test_nobody_there_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{SECRET}"
    posted = Webhook("TAILTUNE_SLACK_WEBHOOK", url).post(BODY)
    assert (posted.ok, posted.reason) == (False, "ConnectionRefusedError: [Errno 111] Connection refused")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": "0"}, 0.0),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read(slack: Slack, headers: dict[str, str], seconds: float | None) -> None:
    found = post(slack, Mishap("status", 429, "rate_limited", headers))
    if "GMT" in headers.get("Retry-After", ""):  # beside the server's own date, long past
        assert found.retry_after_s is not None
        return
    assert (found.status, found.retry_after_s) == (429, seconds)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(slack: Slack, status: int) -> None:
    found = post(slack, Mishap("status", status, "", {"Location": slack.json_url}))
    assert found == Posted(False, f"{status}: it redirects, which is not followed; mend TAILTUNE_SLACK_WEBHOOK", status)
    assert (slack.requests, slack.taken) == (1, [])


def test_the_address_is_in_no_answer_and_no_log(slack: Slack, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    slack.coming.append(Mishap("status", 403, f"no such hook: {slack.url} ({TOKEN[3:]})"))
    posted = post(slack)
    assert posted.reason.startswith("403 no such hook: ")
    assert TOKEN not in posted.reason and TOKEN[3:12] not in posted.reason
    post(slack, Mishap("hang up"))
    post(slack)
    assert not [record for record in caplog.records if TOKEN in record.getMessage()]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.slack.com/services/T0SECRET", "not https, and not of this machine"),
        ("http://127.0.0.1.evil.com/T0SECRET", "not https, and not of this machine"),
        ("ftp://hooks.slack.com/T0SECRET", "not https"),
        ("file:///etc/T0SECRET", "not an address"),
        ("hooks.slack.com/T0SECRET", "not an address"),
        ("https://user:T0SECRET@hooks.slack.com/x", "holds a user"),
        ("https://hooks.slack.com/T0SECRET\r\nX: y", "not an address"),
        ("https://hooks.slack.com:port/T0SECRET", "not an address"),
        ("https://[::1/T0SECRET", "not an address"),
        ("", "not an address"),
    ],
)
def test_an_address_that_may_not_be_posted_to_is_refused_unseen(url: str, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        Webhook("TAILTUNE_SLACK_WEBHOOK", url)
    assert "T0SECRET" not in str(refused.value)
    assert "TAILTUNE_SLACK_WEBHOOK" in str(refused.value)


@pytest.mark.parametrize(
    "url", ["https://hooks.slack.com/services/T0", "http://localhost:8065/hooks/x", "http://[::1]/x"]
)
def test_https_and_this_machine_are_taken(url: str) -> None:
    Webhook("TAILTUNE_ALERT_WEBHOOK", url)
