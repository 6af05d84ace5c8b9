"""What a use case sends: its prompt files, or the starting prompts where it has none and declares no model."""

from __future__ import annotations

from tailtune.predictors.prompted.codec import Codec
from tailtune.predictors.prompted.templates import Template, load_templates, parsed
from tailtune.tasks.use_case import UseCase


def has_own_prompts(case: UseCase) -> bool:
    """Whether its own files are sent: it has some, or it declares who is asked, or nobody."""
    return case.paths.prompts.is_dir() or "models" in case.spec.prompt.model_fields_set


def templates_of(case: UseCase, codec: Codec) -> dict[str, Template]:
    """What its rungs send.

    Returns:
        Name → prompt.

    Raises:
        MissingInputError: A file that a rung sends is not there.
        SpecError: Every fault of every file with its line.
    """
    if has_own_prompts(case):
        return load_templates(case, codec)
    starting = case.task.starting_prompts(case.spec.description)
    return {name: parsed(name, text, f"starting prompt {name}")[0] for name, text in starting.items()}
