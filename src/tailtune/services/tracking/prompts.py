"""MLflow's prompt registry: every prompt file of a use case, a version per text.

https://mlflow.org/docs/latest/genai/prompt-registry/ - `prompts:/support-tickets.few_shot@production` loads one.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tailtune.core.errors import UsageError
from tailtune.services.tracking import provenance
from tailtune.services.tracking.client import fluent, told

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from tailtune.services.tracking.tracker import Tracker

CURRENT, PRODUCTION = "current", "production"
DIGEST = "digest"
MOST_CHARS = 100_000
"""What MLflow's registry takes."""


def prompt_name(use_case: str, prompt: str) -> str:
    """The registry's name of a use case's prompt file, e.g. `support-tickets.few_shot`.

    Args:
        use_case: The use case's name.
        prompt: The file's name without its ending.
    """
    return f"{use_case}.{prompt}"


def digest_of(text: str) -> str:
    """Digest of a prompt's text, 12 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def register(tracker: Tracker, templates: Mapping[str, str], origins: Mapping[str, str]) -> dict[str, int]:
    """Put prompt texts into the registry; a text that is there already keeps its version.

    The alias `current` goes to each given text's version, also when a text went back to an older one.

    Args:
        tracker: Of the use case.
        templates: Prompt file's name without its ending, or that of a prompt that is in none → its text, a Jinja2
            template.
        origins: Name → where its text is from, in words; its file where there is none. A version's commit message.

    Returns:
        The same names → version, from 1.

    Raises:
        UsageError: A text is longer than the registry takes.
        ServiceError: MLflow could not be written.
    """
    if not templates:
        return {}
    case = tracker.case
    origins = {name: case.paths.project.shown(case.paths.prompts / f"{name}.md") for name in templates} | dict(origins)
    for name, text in templates.items():
        if len(text) > MOST_CHARS:
            raise UsageError(
                f"{origins[name]}: {len(text):,} characters; expected at most {MOST_CHARS:,}",
                "shorten it: examples and labels are filled in by the template, they need not stand in it",
            )
    commit = provenance.git_commit(case.paths.project.root)
    client = tracker.client
    with told(tracker.uri, f"registering the prompts of {case.name}"), _linked_to(tracker):
        return {
            name: _registered(client, prompt_name(case.name, name), text, origins[name], case.name, commit)
            for name, text in templates.items()
        }


def put_in_production(tracker: Tracker, prompt: str | None, version: int | None) -> None:
    """Give the alias `production` to one prompt of the use case, and take it from its others.

    Args:
        tracker: Of the use case.
        prompt: Prompt file's name without its ending; None when no prompt is in production (a fine-tune answers).
        version: Its version in the registry; None leaves the alias off.

    Raises:
        ServiceError: MLflow could not be written.
    """
    case, client = tracker.case, tracker.client
    wanted = None if prompt is None or version is None else prompt_name(case.name, prompt)
    with told(tracker.uri, f"naming the prompt of {case.name} in production"):
        for name in _names(client, case.name):
            holder = _holder(client, name, PRODUCTION)
            if name != wanted and holder is not None:
                client.delete_prompt_alias(name, PRODUCTION)
        if wanted is not None and version is not None:
            client.set_prompt_alias(wanted, PRODUCTION, version)


def _registered(client: MlflowClient, name: str, text: str, origin: str, use_case: str, commit: str | None) -> int:
    digest = digest_of(text)
    current = _holder(client, name, CURRENT)
    if current is not None and current.tags.get(DIGEST) == digest:
        return int(current.version)
    known = next((found for found in _versions(client, name) if found.tags.get(DIGEST) == digest), None)
    if known is None:
        tags = {"use_case": use_case, DIGEST: digest, **({"git_commit": commit} if commit else {})}
        known = client.register_prompt(name, text, commit_message=origin, tags=tags)
    client.set_prompt_alias(name, CURRENT, known.version)
    return int(known.version)


def _versions(client: MlflowClient, name: str) -> Iterator[Any]:
    if client.get_prompt(name) is None:
        return
    token = None
    while True:
        page = client.search_prompt_versions(name, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _names(client: MlflowClient, use_case: str) -> list[str]:
    lead = prompt_name(use_case, "")
    found = client.search_prompts(f"name LIKE '{lead}%'", max_results=1000)
    return [prompt.name for prompt in found if prompt.name.startswith(lead)]


def _holder(client: MlflowClient, name: str, alias: str) -> Any:
    """The version that has an alias; None when none has, or there is no such prompt."""
    return client.load_prompt(f"prompts:/{name}@{alias}", allow_missing=True, cache_ttl_seconds=0)


@contextmanager
def _linked_to(tracker: Tracker) -> Iterator[None]:
    """Let new prompts stand under the use case's experiment in the UI, not under the default one.

    MLflow takes the experiment from its environment, looks it up through its globals, and notes it from a thread of
    its own, which is awaited here: a process that ends, or another writer of the same SQLite file, must not meet it
    half done.
    """
    variable = "MLFLOW_EXPERIMENT_ID"
    before = os.environ.get(variable)
    os.environ[variable] = tracker.experiment_id
    try:
        with fluent(tracker.uri):
            yield
    finally:
        if before is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = before
        for thread in threading.enumerate():
            if thread.name.startswith("link_prompt_to_experiment"):
                thread.join(timeout=30)
