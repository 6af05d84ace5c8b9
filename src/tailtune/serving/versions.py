"""A registered version, loaded with the code that is installed here: nothing that is run comes from a store.

It is how versions of any age answer side by side: also those whose own package is called `tailtune`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tailtune.config.endpoints import VARIABLE, Address, declared_addresses, require_declared
from tailtune.config.model import Pii
from tailtune.config.paths import Paths
from tailtune.config.prompting import LanguageModelSpec
from tailtune.config.settings import Settings
from tailtune.core.errors import TailTuneError
from tailtune.core.records import Answer
from tailtune.predictors.base import Predictor
from tailtune.predictors.prepare import prepared
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import StoredVersion, require
from tailtune.tasks.saved import load, scrubbed


@dataclass(frozen=True)
class LoadedVersion:
    """One per version that answers here.

    Attributes:
        stored: Which version.
        predictor: Its predictor.
        scrub_pii: Kinds of personal data that are taken out of a text before it is answered.
    """

    stored: StoredVersion
    predictor: Predictor
    scrub_pii: tuple[Pii, ...]

    def answer(self, texts: Sequence[str]) -> list[Answer]:
        """Answer texts as people type them, in order: each is cleaned and scrubbed as the rows were."""
        return list(self.predictor.answer([prepared(text, self.scrub_pii) for text in texts]))


def load_version(
    model: str, which: str = "champion", uri: str | None = None, cache: Path | None = None
) -> LoadedVersion:
    """Load a version of a registered model into this process; any number of them live side by side.

    Args:
        model: Registered model's name.
        which: Alias or number.
        uri: The tracking store's address; that of the checkout around here when None.
        cache: Folder for its files; that of the checkout when None.

    Raises:
        UsageError: There is no such version.
        ServiceError: The store does not answer, or the files are not those that were registered.
        UndeclaredEndpointError: It asks an endpoint that `TAILTUNE_ENDPOINTS` does not list.
        TailTuneError: This code cannot load it.
    """
    uri = uri or Settings().resolved_tracking_uri(Paths.find())
    return load_stored(uri, require(uri, model, which), cache or Paths.find().fetched_versions)


def load_stored(
    uri: str, stored: StoredVersion, cache: Path, models: Iterable[LanguageModelSpec] = ()
) -> LoadedVersion:
    """Fetch a version's files into a cache and load them.

    Args:
        uri: The tracking store's address.
        stored: The version.
        cache: Folder that processes may share.
        models: Language models that may be asked, besides those that `TAILTUNE_ENDPOINTS` lists.

    Raises:
        ServiceError: The files are not those that were registered, or cannot be fetched.
        UndeclaredEndpointError: It asks an endpoint that is not declared here.
        TailTuneError: This code cannot load it.
    """
    folder = fetch(uri, stored, cache)
    try:
        predictor, scrub_pii = load(folder), scrubbed(folder)
    except (OSError, LookupError, ValueError, TypeError, AttributeError, StopIteration) as error:
        raise TailTuneError(
            f"{stored.uri}: this code cannot load its files ({error})",
            f"mlflow models serve -m {stored.uri} --env-manager local   (runs the code that the version carries)",
        ) from error
    spec = getattr(predictor, "spec", None)
    if isinstance(spec, LanguageModelSpec) and spec.endpoint is not None:
        declared = declared_addresses(models, os.environ.get(VARIABLE))
        require_declared(spec.name, Address.of(spec.endpoint, spec.key_env), declared, "")
    return LoadedVersion(stored, predictor, scrub_pii)
