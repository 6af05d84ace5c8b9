"""What the reflecting model is asked, and what of its reply is the proposal."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from tailtune.core.language import Reply

_FENCE = "```"
_REFLECT = """You improve the instructions of an assistant. These are its instructions now, a Jinja2 template:

{fence}
{system}
{fence}

This is what it answered with them, and what was expected:

{failures}

Write better instructions. Say what the task is, and state in general terms what the assistant must know to get such
texts right: how labels or fields are told apart, how values are written. Do not quote the texts above. Keep the form
that the answer must have. {variables} Write the whole instructions, and nothing else, between two lines of {fence}."""


def told(text: str, answered: str | None, feedback: str) -> dict[str, str]:
    """One row as GEPA hands it on: the text, what was answered, and what is to be said of it."""
    return {"Inputs": text, "Generated Outputs": answered or "(nothing)", "Feedback": feedback}


def reflection(system: str, rows: Sequence[Mapping[str, str]], needed: Collection[str]) -> str:
    """The whole request.

    Args:
        system: Jinja2 source of the instructions as they are.
        rows: What `told` made of each.
        needed: Variables that the instructions must go on naming.
    """
    failures = "\n\n".join(
        f"Text:\n{one['Inputs']}\nAnswered:\n{one['Generated Outputs']}\n{one['Feedback']}" for one in rows
    )
    names = ", ".join(sorted(needed))
    kept = f"Keep every Jinja2 expression that uses {names}: the values are filled in later." if names else ""
    return _REFLECT.format(fence=_FENCE, system=system, failures=failures, variables=kept)


def proposed(reply: Reply) -> str:
    """The instructions in a reply: what stands between its first and last fence, or all of it where there are not two.

    Returns:
        Empty when there are none, or the reply was cut off and so are they.
    """
    if reply.finish == "length":
        return ""
    lines = (reply.text or "").strip().splitlines()
    fences = [at for at, line in enumerate(lines) if line.strip().startswith(_FENCE)]
    inner = lines[fences[0] + 1 : fences[-1]] if len(fences) > 1 else lines
    return "\n".join(inner).strip()
