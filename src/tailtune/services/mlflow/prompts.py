"""MLflow's prompt registry: every prompt file of a use case, a version per text.

https://mlflow.org/docs/latest/genai/prompt-registry/ - `prompts:/support-tickets.few_shot@production` loads one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from tailtune.config.model import Declared
from tailtune.core.errors import UsageError
from tailtune.core.run_plan import prompt_name
from tailtune.services.mlflow.home import service_errors
from tailtune.services.mlflow.write import git_commit

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CURRENT, PRODUCTION = "current", "production"
DIGEST, USE_CASE = "digest", "use_case"
MOST_CHARS = 100_000
"""What MLflow's registry takes."""
_NONE = (
    "RESOURCE_DOES_NOT_EXIST",
    "INVALID_PARAMETER_VALUE",
    "NOT_FOUND",
)  # of an alias, in three stores


class PromptStore(Protocol):
    """What prompts need of a tracker."""

    uri: str
    case: Declared

    @property
    def client(self) -> MlflowClient:
        """MLflow's client."""

    @property
    def experiment_id(self) -> str:
        """The use case's experiment."""


def digest_of(text: str) -> str:
    """Digest of a prompt's text, 12 hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def register(tracker: PromptStore, templates: Mapping[str, str], origins: Mapping[str, str]) -> dict[str, int]:
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
    with service_errors(tracker.uri, f"registering the prompts of {case.name}"):
        return {name: _registered(tracker, name, text, origins[name]) for name, text in templates.items()}


def put_in_production(tracker: PromptStore, prompt: str | None, version: int | None) -> None:
    """Give the alias `production` to one prompt of the use case, and take it from its others.

    Args:
        tracker: Of the use case.
        prompt: Prompt file's name without its ending; None when no prompt is in production (a fine-tune answers).
        version: Its version in the registry; None leaves the alias off.

    Raises:
        ServiceError: MLflow could not be written.
    """
    case, client = tracker.case, tracker.client
    production = None if prompt is None or version is None else prompt_name(case.name, prompt)
    with service_errors(tracker.uri, f"naming the prompt of {case.name} in production"):
        for name in _names(client, case.name):
            holder = _holder(client, name, PRODUCTION)
            if name != production and holder is not None:
                client.delete_prompt_alias(name, PRODUCTION)
        if production is not None and version is not None:
            client.set_prompt_alias(production, PRODUCTION, version)


def _registered(tracker: PromptStore, prompt: str, text: str, origin: str) -> int:
    client, case, digest = tracker.client, tracker.case, digest_of(text)
    name = prompt_name(case.name, prompt)
    current = _holder(client, name, CURRENT)
    if current is not None and current.tags.get(DIGEST) == digest:
        return int(current.version)
    known = next((version for version in _versions(client, name) if version.tags.get(DIGEST) == digest), None)
    if known is None:
        _under_experiment(tracker, name, prompt)
        commit = git_commit(case.paths.project.root)
        tags = {USE_CASE: case.name, DIGEST: digest, **({"git_commit": commit} if commit else {})}
        known = client.create_prompt_version(name, text, origin, tags)
    client.set_prompt_alias(name, CURRENT, known.version)
    return int(known.version)


def _under_experiment(tracker: PromptStore, name: str, prompt: str) -> None:
    """Make the prompt where it is missing; it stands under the use case's experiment in the UI.

    `register_prompt` would do so from a thread of its own, for the experiment of the process's globals, and would give
    the tags of each version to the prompt as well.

    Raises:
        MlflowException: A registered model has this name.
    """
    from mlflow.prompt.constants import PROMPT_EXPERIMENT_IDS_TAG_KEY

    client, experiment = tracker.client, str(tracker.experiment_id)
    there = client.get_prompt(name)
    if there is None:
        what = f"What the rung lm_{prompt} of {tracker.case.name} sends."
        tags = {USE_CASE: tracker.case.name, PROMPT_EXPERIMENT_IDS_TAG_KEY: f",{experiment},"}
        client.create_prompt(name, what, tags)
        return
    experiments = [known for known in there.tags.get(PROMPT_EXPERIMENT_IDS_TAG_KEY, "").split(",") if known]
    if experiment not in experiments:
        client.set_prompt_tag(name, PROMPT_EXPERIMENT_IDS_TAG_KEY, f",{','.join([*experiments, experiment])},")


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
    there = client.search_prompts(f"name LIKE '{lead}%'", max_results=1000)
    return [prompt.name for prompt in there if prompt.name.startswith(lead)]


def _holder(client: MlflowClient, name: str, alias: str) -> Any:
    """The version that has an alias; None when none has, or there is no such prompt.

    MLflow's `load_prompt` would put the prompt under the experiment of the process's globals besides.
    """
    from mlflow.exceptions import MlflowException

    try:
        return client.get_prompt_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in _NONE:
            return None
        raise
