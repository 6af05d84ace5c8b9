"""The server's documentation: OpenAPI for programs, made by FastAPI; for people a page that loads nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel

from tailtune.serving.plan import ServerPlan
from tailtune.tasks.table import answers_objects

_STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d8dee4;--box:#f6f8fa;--accent:#0b6b53}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa4af;--line:#30363d;--box:#161b22;--accent:#4cc9a4}
body{background:#0d1117}}
*{box-sizing:border-box}body{font:16px/1.55 system-ui,sans-serif;max-width:56rem;margin:0 auto;padding:2rem 1rem 4rem;
color:var(--ink)}h1{font-size:1.7rem;line-height:1.2;margin:0 0 .4rem}p{margin:.3rem 0 .7rem}a{color:var(--accent)}
h2{font-size:1.15rem;margin:2.4rem 0 .3rem;padding-top:1rem;border-top:1px solid var(--line)}
code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,monospace}h2 code{font-size:1em}
pre{background:var(--box);border:1px solid var(--line);border-radius:8px;padding:.75rem .9rem;
overflow-x:auto;margin:.5rem 0}
.soft{color:var(--soft)}.verb{font-size:.75rem;font-weight:700;letter-spacing:.04em;color:var(--accent);
border:1px solid;border-radius:5px;padding:.12rem .4rem;margin-right:.5rem;vertical-align:.12em}
table{border-collapse:collapse;width:100%;margin:.5rem 0}td{vertical-align:top;padding:.35rem .8rem .35rem 0;
border-top:1px solid var(--line)}tr:first-child td{border-top:0}td:first-child{white-space:nowrap;width:13rem}
@media(max-width:560px){body{padding-top:1.2rem}td{display:block;border:0;padding:0;width:auto!important}
td:first-child{border-top:1px solid var(--line);padding-top:.4rem}tr:first-child td{border-top:0}td:last-child{
padding-bottom:.4rem}}
"""


class Documented(Protocol):
    """A path and method of the server, as its documentation needs it."""

    @property
    def method(self) -> str:
        """Of HTTP."""

    @property
    def path(self) -> str:
        """As clients write it."""

    @property
    def summary(self) -> str:
        """One line."""

    @property
    def body(self) -> type | None:
        """What is sent; None where nothing is."""

    @property
    def answer(self) -> type | None:
        """What comes back; None where that is no JSON of a fixed shape."""

    @property
    def is_open(self) -> bool:
        """Whether it needs no token."""


class ErrorBody(BaseModel):
    """Why a request is not answered."""

    error: dict[str, Any]


_ERRORS: Mapping[int, str] = {
    400: "No JSON.",
    401: "A token is needed.",
    413: "Too large, too many texts, or a text too long.",
    422: "Not as this documentation says.",
    429: "Too much waits; try again after Retry-After seconds.",
    502: "The language model's endpoint does not answer.",
    503: "No version answers, or not in time.",
    504: "The language model's endpoint takes too long.",
}


def document(plan: ServerPlan, paths: Sequence[Documented]) -> dict[str, Any]:
    """OpenAPI's document."""
    return _document(plan.use_case, tuple((p.method, p.path, p.summary, p.body, p.answer, p.is_open) for p in paths))


@cache
def _document(use_case: str, paths: tuple[tuple[str, str, str, type | None, type | None, bool], ...]) -> dict[str, Any]:
    from fastapi import FastAPI
    from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

    content: Mapping[str, type[Response]] = {"/docs": HTMLResponse, "/metrics": PlainTextResponse}

    api = FastAPI(title=f"{use_case}, served by TailTune", version="1", docs_url=None, redoc_url=None)
    refusals: dict[int | str, dict[str, Any]] = {
        status: {"description": why, "model": ErrorBody} for status, why in _ERRORS.items()
    }
    for method, path, summary, body, answer, is_open in paths:
        api.add_api_route(
            path,
            _route(body),
            methods=[method],
            summary=summary,
            response_model=answer,
            status_code=202 if path == "/feedback" else 200,
            response_class=content.get(path, JSONResponse),
            responses=({} if is_open else refusals) if body else ({} if is_open else {401: refusals[401]}),
        )
    found: dict[str, Any] = api.openapi()
    return found


def _route(body: type | None) -> Any:
    """A function whose signature says what is sent; requests are answered by `App`, which knows no FastAPI."""

    async def bare() -> None:
        return None

    async def with_body(body: Any) -> None:
        return None

    with_body.__annotations__["body"] = body
    return bare if body is None else with_body


def page(plan: ServerPlan, paths: Sequence[Documented]) -> str:
    """The same for people: one page that loads nothing from anywhere."""
    name = html.escape(plan.use_case)
    to_post = "".join(_section(path, plan) for path in paths if path.body)
    to_get = _table((f"{path.method} {path.path}", path.summary) for path in paths if not path.body)
    refusals = _table((str(status), why) for status, why in _ERRORS.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{name}, served by TailTune</title><style>{_STYLE}</style><h1>{name}</h1>"
        f'<p class="soft">Served by TailTune. {_about(plan)} In the examples, <code>$URL</code> is its address. '
        'For programs: <a href="openapi.json">openapi.json</a></p>'
        f"{to_post}<h2>To look at</h2>{to_get}<h2>Refusals</h2>"
        "<p>As JSON, in the form that OpenAI's clients read: "
        '<code>{"error": {"message", "type", "code", "param"}}</code>.</p>'
        f"{refusals}</html>"
    )


def _about(plan: ServerPlan) -> str:
    """Who may ask, and what."""
    limits = plan.limits
    token = "Requests need <code>authorization: Bearer …</code>. " if plan.tokens else ""
    passes = f"What no version answers goes to {html.escape(plan.upstream.name)}. " if plan.upstream else ""
    most = f"{limits.rows:,} texts of {limits.text_chars:,} characters and {limits.body_bytes // 1024:,} KiB"
    return f"{token}{passes}A request holds at most {most}."


def _section(path: Documented, plan: ServerPlan) -> str:
    fields = getattr(path.body, "model_fields", {})
    table = _table((name, field.description) for name, field in fields.items() if field.description)
    body = json.dumps(_EXAMPLES[path.path](plan), ensure_ascii=False)
    token = "-H 'authorization: Bearer …' " if plan.tokens else ""
    command = f"curl $URL{path.path} {token}-H 'content-type: application/json' \\\n  -d '{body}'"
    return (
        f'<h2><span class="verb">{path.method}</span><code>{html.escape(path.path)}</code></h2>'
        f"<p>{html.escape(path.summary)}</p><pre>{html.escape(command)}</pre>{table}"
    )


def _table(rows: Iterable[tuple[str, str]]) -> str:
    lines = (f"<tr><td><code>{html.escape(name)}</code></td><td>{_worded(text)}</td></tr>" for name, text in rows)
    return f"<table>{''.join(lines)}</table>"


def _worded(text: str) -> str:
    """Words for a page: what stands in backticks is code."""
    pieces = html.escape(text, quote=False).split("`")
    return "".join(f"<code>{piece}</code>" if place % 2 else piece for place, piece in enumerate(pieces))


_EXAMPLES: Mapping[str, Callable[[ServerPlan], Any]] = {
    "/predict": lambda _: {"text": "I was charged twice"},
    "/v1/chat/completions": lambda plan: {
        "model": plan.use_case,
        "messages": [
            {"role": "user", "content": (plan.text_from or "{text}").replace("{text}", "I was charged twice")}
        ],
    },
    "/invocations": lambda _: {"dataframe_records": [{"text": "I was charged twice"}]},
    "/feedback": lambda plan: {
        "request_id": "…",
        "label": {"YOUR_FIELD": "…"} if answers_objects(plan.task) else "YOUR_LABEL",
        "who": "ada",
    },
}
