"""Some hundred orders as texts with spans, and the schema of what stands in them."""

from __future__ import annotations

import itertools
from typing import Any

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["order", "day", "amount", "request", "urgent"],
    "properties": {
        "order": {"type": ["string", "null"], "pattern": "^OR-\\d{4}$", "x-normal": "upper"},
        "day": {"type": ["string", "null"], "format": "date"},
        "amount": {
            "type": ["object", "null"],
            "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
            "required": ["amount", "currency"],
            "additionalProperties": False,
        },
        "items": {"type": "array", "items": {"type": "string"}},
        "request": {"enum": ["refund", "exchange", "status"]},
        "urgent": {"type": ["boolean", "null"]},
    },
}
REQUESTS = {
    "refund": ("i want my money back", "please refund", "return the amount"),
    "exchange": ("send me another one", "exchange it please", "i need a different size"),
    "status": ("where is it", "has it shipped", "any news"),
}
DAYS = {
    "4 May 2026": "2026-05-04",
    "2026-06-11": "2026-06-11",
    "July 3, 2026": "2026-07-03",
    "8 August 2026": "2026-08-08",
}
ITEMS = ("lamp", "chair", "green kettle", "bread knife", "rug")
HURRY = {"this is urgent": True, "no hurry": False, "": None}


def claims() -> list[dict[str, Any]]:
    """Some hundred orders; each field stands where another may stand in the next."""
    made = []
    wishes = [(request, words) for request, phrase in REQUESTS.items() for words in phrase]
    for n, ((request, words), (day, iso), item, (hurry, urgent)) in enumerate(
        itertools.product(wishes, DAYS.items(), ITEMS, HURRY.items())
    ):
        if n % 2:
            continue
        order, amount = f"or-{1000 + n * 7}", 20 + n % 90
        parts = [
            ("order", order),
            (None, "of"),
            ("day", day),
            (None, "the"),
            ("items", item),
            (None, f"for {chr(8203)}"),
        ]
        parts += [("amount", f"${amount}"), (None, f", {words} {hurry}")]
        if n % 3 == 0:
            parts = [*parts[-1:], (None, "it was"), *parts[2:3], (None, "and"), *parts[6:7], (None, "for"), *parts[0:1]]
        text, entities = "", []
        for field, words_ in parts:
            text += " " if text else ""
            if field:
                entities.append({"start": len(text), "end": len(text) + len(words_), "label": field})
            text += words_
        fields: dict[str, Any] = {"order": order.upper(), "day": iso, "request": request, "urgent": urgent}
        fields["amount"] = {"amount": amount, "currency": "USD"}
        if n % 3:
            fields["items"] = [item]
        made.append({"text": text, "entities": entities, "fields": fields})
    bad = {
        "text": "caf\u00e9 order or-1234",
        "entities": [{"start": 12, "end": 19, "label": "order"}],
        "fields": {"request": "status"},
    }
    outside = {
        "text": "short",
        "entities": [{"start": 2, "end": 60, "label": "order"}],
        "fields": {"request": "status"},
    }
    return [*made, bad, outside]
