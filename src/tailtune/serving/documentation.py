"""The server's documentation: OpenAPI for programs, made by FastAPI; for people a page that loads nothing else."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from pydantic import BaseModel

from tailtune.serving.plan import ServerPlan

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1b1f24}
h2{font-size:1.05rem;margin:2rem 0 .2rem}code,pre{font:14px/1.45 ui-monospace,monospace}
pre{background:#f4f5f7;padding:.7rem;overflow-x:auto;border-radius:6px}
.verb{display:inline-block;min-width:3.2rem;font-weight:600}table{border-collapse:collapse;width:100%}
td{vertical-align:top;padding:.25rem .6rem .25rem 0;border-top:1px solid #e3e5e8}td:first-child{white-space:nowrap}
@media(max-width:480px){td{display:block;border:0;padding:0}td:first-child{border-top:1px solid #e3e5e8}}
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
            responses=({} if is_open else refusals) if body else ({} if is_open else {401: refusals[401]}),
        )
    found: dict[str, Any] = api.openapi()
    return found


def _route(body: type | None) -> Any:
    """A function whose signature says what is sent; requests are answered by `App`, which knows no FastAPI."""

    async def described(body: Any = None) -> None:
        return None

    described.__annotations__ = {"body": body, "return": None} if body else {"return": None}
    if body is None:

        async def without_body() -> None:
            return None

        return without_body
    described.__defaults__ = ()
    return described


def page(plan: ServerPlan, paths: Sequence[Documented]) -> str:
    """The same for people: one page that loads nothing from anywhere."""
    parts = [_section(path, plan) for path in paths]
    title = f"{plan.use_case}, served by TailTune"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>"
        f'<p>For programs: <a href="openapi.json">openapi.json</a></p>{"".join(parts)}</html>'
    )


def _section(path: Documented, plan: ServerPlan) -> str:
    rows = [
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(field.description or '')}</td></tr>"
        for name, field in (getattr(path.body, "model_fields", {}) if path.body else {}).items()
    ]
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    example = _EXAMPLES.get(path.path)
    shown = f"<pre>{html.escape(json.dumps(example, ensure_ascii=False))}</pre>" if example else ""
    return (
        f'<h2><span class="verb">{path.method}</span> <code>{html.escape(path.path)}</code></h2>'
        f"<p>{html.escape(path.summary)}</p>{shown}{table}"
    )


_EXAMPLES: Mapping[str, Any] = {
    "/predict": {"text": "I was charged twice"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "I was charged twice"}]},
    "/invocations": {"dataframe_records": [{"text": "I was charged twice"}]},
    "/feedback": {"request_id": "…", "label": "billing", "who": "ada"},
}
