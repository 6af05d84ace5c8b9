"""Draw the messages about trouble roughly as Slack does, to look at them: `python infra/slack_page.py messages.html`.

It draws what an alert may have (header, context, rich text), nothing else; Slack's own Block Kit Builder is the truth.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from tailtune.core.alerts import Alert, Message, MessageKind
from tailtune.core.records import Estimate
from tailtune.operations.alerts import sample
from tailtune.report import slack

_DAY_US = 86_400_000_000
_NOON_US = 20_786 * _DAY_US + _DAY_US // 2
_STYLE = """
body { margin: 0; padding: 16px 12px; background: #fff; color: #1d1c1d;
       font: 15px/1.47 Lato, "Helvetica Neue", Arial, sans-serif; }
.message { display: flex; gap: 8px; max-width: 680px; margin: 0 0 28px; }
.face { flex: 0 0 36px; height: 36px; border-radius: 6px; background: #35618f; color: #fff; font-weight: 700;
        display: grid; place-items: center; }
.body { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.who b { font-weight: 900; } .who span { color: #616061; font-size: 12px; margin-left: 4px; }
.who .app { background: #e8e8e8; border-radius: 3px; padding: 1px 4px; font-size: 10px; font-weight: 700; }
h3 { font-size: 18px; line-height: 1.3; margin: 6px 0 4px; font-weight: 900; }
.context { color: #616061; font-size: 12px; margin: 2px 0 8px; }
.rich { margin: 0 0 8px; } ul { margin: 0; padding-left: 26px; }
blockquote { margin: 2px 0 4px; padding-left: 12px; border-left: 4px solid #ddd; }
a { color: #1264a3; text-decoration: none; }
code { border: 1px solid #ddd; border-radius: 3px; background: #f8f8f8; color: #c01343; font-size: 12px; }
i { display: inline-block; width: 15px; height: 15px; border-radius: 50%; outline: 1px solid #0002; }
"""
_SIGNS = {"🔴": "#dd2e44", "🟠": "#f4900c", "🟢": "#78b159", "🔵": "#55acee", "⚪": "#fff"}


def page(messages: Iterable[Message]) -> str:
    """The messages one below the other, as one self-contained page."""
    drawn = "".join(_message(slack.message(message)["blocks"]) for message in messages)
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    return f"<!doctype html><html lang=en><head>{head}<title>Alerts</title><style>{_STYLE}</style></head><body>{drawn}"


def messages() -> list[Message]:
    """One of each kind, and one whose texts are as bad as texts of rows may be."""
    drift = Alert(
        use_case="support-tickets",
        version="7",
        cause="drift",
        severity="warning",
        at_us=_NOON_US,
        title="support-tickets v7: 12.4 % of rows are unlike anything in training",
        moved=(
            "unlike anything in training: 3.1 % → 12.4 % of rows, +9.3 points (+7.2 to +11.5), from 2026-11-26 on",
            "answer refund: 8.0 % → 14.1 %, +6.1 points (+4.2 to +8.1)",
            "confidence below 60 %: 5.2 % → 15.8 %, +10.6 points (+8.3 to +13.0)",
        ),
        accuracy=Estimate(value=0.862, low=0.831, high=0.89, rows=1200),
        accuracy_by="from the model's own confidence on 1,200 rows; it cannot see labels that changed their meaning",
        examples=(
            "where is my crypto wallet, it says <email> is not linked",
            "the app wants a passkey and i have none",
        ),
        links={
            "report": "https://models.example.com/reports/support-tickets/monitor/2026-11-28.html",
            "MLflow run": "https://mlflow.example.com/#/experiments/3/runs/0f1e2d3c",
            "flow run": "https://prefect.example.com/runs/flow-run/1a2b3c4d",
        },
        next_step="Label 50 rows of this window: tailtune audit support-tickets --rows 50",
    )
    worse = drift.model_copy(update={"severity": "critical", "title": drift.title.replace("12.4", "21.0")})
    hostile = drift.model_copy(
        update={
            "title": "<!channel> *bold* " + "a very long title " * 12,
            "moved": ("<https://evil.example|click> " + "x" * 400, "*bold* _it_ `code` @here", *drift.moved, "six"),
            "examples": ("W" * 900, "<!here> https://evil.example/" + "path/" * 40),
            "links": {"report": "/srv/tailtune/reports/support-tickets/monitor/2026-11-28.html"},
        }
    )
    retrained = drift.model_copy(
        update={
            "cause": "retrain",
            "version": "8",
            "title": "support-tickets: retrain v8: promoted",
            "moved": (
                "+2.1 points against champion v7 (+0.8 to +3.4) on 1,200 test rows, p = 0.002",
                "Accuracy after: 93.1 % (91.5–94.5) on 1,200 test rows",
                "Accuracy before: 91.0 % on the same rows, v7",
                "cost: $0.42 for machine and bought answers",
            ),
            "accuracy": None,
            "accuracy_by": "",
            "examples": (),
            "next_step": "git merge retrain/support-tickets/2026-11-29",
        }
    )
    kinds: list[tuple[MessageKind, Alert, dict[str, Any]]] = [
        ("alert", drift, {}),
        ("escalation", worse, {"before": "warning"}),
        ("return", drift, {}),
        ("reminder", worse, {}),
        ("recovery", worse, {"why": "version 8 answers now"}),
        ("outcome", retrained, {}),
        ("test", sample(_NOON_US), {}),
        ("alert", hostile, {}),
    ]
    return [
        Message(trouble=17, number=place, kind=kind, at_us=_NOON_US + _DAY_US, since_us=_NOON_US, alert=alert, **more)
        for place, (kind, alert, more) in enumerate(kinds, 1)
    ]


def _message(blocks: Iterable[Mapping[str, Any]]) -> str:
    who = "<div class=who><b>TailTune</b> <span class=app>APP</span> <span>2:03 AM</span></div>"
    drawn = "".join(map(_block, blocks))
    return f"<div class=message><div class=face>T</div><div class=body>{who}{drawn}</div></div>"


def _block(block: Mapping[str, Any]) -> str:
    if block["type"] == "header":
        text = escape(block["text"]["text"])
        for sign, colour in _SIGNS.items():  # Slack draws them itself; a font may lack them
            text = text.replace(sign, f'<i style="background:{colour}"></i>')
        return f"<h3>{text}</h3>"
    if block["type"] == "context":
        return f"<div class=context>{' '.join(escape(each['text']) for each in block['elements'])}</div>"
    return f"<div class=rich>{''.join(map(_rich, block['elements']))}</div>"


def _rich(element: Mapping[str, Any]) -> str:
    kind = element["type"]
    if kind == "text":
        tags = {"bold": "b", "code": "code"}
        style = next((tags[name] for name in element.get("style", {})), "span")
        return f"<{style}>{escape(element['text'])}</{style}>"
    if kind == "link":
        return f'<a href="{escape(element["url"])}">{escape(element["text"])}</a>'
    inner = "".join(map(_rich, element["elements"]))
    if kind == "rich_text_list":
        return f"<ul>{''.join(f'<li>{_rich(each)}</li>' for each in element['elements'])}</ul>"
    return f"<blockquote>{inner}</blockquote>" if kind == "rich_text_quote" else f"<div>{inner}</div>"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(messages()), encoding="utf-8")
