"""Which language models a verdict rests on, in words: what the embedded one is and is not, and what to declare next."""

from __future__ import annotations

from tailtune.core.reports import PromptReport
from tailtune.report.numbers import sentence
from tailtune.report.story import Story

GUIDE = "docs/guides/prompted-models.md"
ZERO_SHOT, RETRIEVAL = 12, 90
"""Percent of BANKING77 that it answers right without examples, and with eight retrieved ones: of 200 dev rows, in two
draws of 100 (12 and 13, 93 and 86)."""


def about_embedded(found: PromptReport) -> str:
    """What the embedded model is and is not, as a sentence; empty where it was not asked."""
    if not found.embedded or not found.rungs:
        return ""
    return (
        f"the model {', '.join(found.embedded)} comes with the installation and is small (135M parameters): of 77 "
        f"labels (BANKING77) it finds {ZERO_SHOT} % without examples and {RETRIEVAL} % with retrieved ones, about "
        "as many as the nearest rows alone; so it shows what prompting brings at all, not what a good model would"
    )


def declare_next(found: PromptReport | None) -> str:
    """What to declare so that a verdict need not be provisional; empty where nothing is lacking."""
    roles = {} if found is None else {name: role for name, role in found.models.items() if name not in found.embedded}
    lacking = [role for role in ("base", "strong") if role not in roles.values()]
    if not lacking:
        return ""
    what = " and another with the role ".join(lacking)
    return f"Declare an endpoint or a folder with the role {what} in prompt.models ({GUIDE})"


def provisional_words(story: Story) -> str:
    """Why the verdict may change, and what to declare so that it need not, as sentences; empty when it is final."""
    why = why_provisional(story)
    return " ".join(sentence(words) for words in (why, declare_next(story.prompt)) if words) if why else ""


def why_provisional(story: Story) -> str:
    """Why the verdict may change, in words; empty when it is not provisional."""
    final = story.verdict
    if final is None or not final.provisional:
        return ""
    return final.why_provisional or f"not measured: {'; '.join(story.missing) or 'some evidence'}"
