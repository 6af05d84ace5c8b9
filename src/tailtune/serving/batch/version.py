"""The version that answers a file, and how it is asked: in processes here, or at an endpoint within a limit."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.config.endpoints import declared_addresses
from tailtune.config.prices import load_prices
from tailtune.config.settings import Settings
from tailtune.core.errors import PartlyAnsweredError, UsageError
from tailtune.core.money import Usd
from tailtune.core.process import free_cores
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import LanguageModels
from tailtune.predictors.prepare import prepared
from tailtune.predictors.prompted.rung import PromptAnswer, Prompted
from tailtune.services.endpoint import Budget
from tailtune.services.mlflow.fetch import fetch
from tailtune.services.mlflow.lookup import StoredVersion, require
from tailtune.serving.batch.answering import Blocks, by_processes
from tailtune.serving.batch.kept import EarlierRuns, KeptAnswer
from tailtune.serving.batch.log import BatchLog
from tailtune.serving.batch.run import Answering
from tailtune.serving.batch.seen import seen_now
from tailtune.serving.versions import LoadedVersion, load_stored
from tailtune.tasks.saved import PROMPTED_KINDS, kind_of, scrubbed
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    from tailtune.config.model import Pii


@dataclass(frozen=True)
class BatchVersion:
    """One per run.

    Attributes:
        case: The use case.
        settings: Where things are.
        stored: The version.
        folder: Its files on this machine.
    """

    case: UseCase
    settings: Settings
    stored: StoredVersion
    folder: Path

    @classmethod
    def of(cls, case: UseCase, settings: Settings, which: str | None) -> BatchVersion:
        """Look a version up and fetch it.

        Args:
            case: The use case.
            settings: Where things are.
            which: Alias or number; `serve.alias` of the use case when None.

        Raises:
            UsageError: There is no such version.
            ServiceError: The registry does not answer, or the files are not those that were registered.
        """
        paths, model = case.paths.project, case.model
        uri = settings.resolved_tracking_uri(paths)
        hint = f"tailtune cost {case.name}   (names its versions)" if which else f"tailtune run {case.name}"
        stored = require(uri, model, which or case.spec.serve.alias, hint)
        return cls(case, settings, stored, fetch(uri, stored, paths.fetched_versions))

    def answering(self, context: Context, processes: int | None, max_usd: Usd | None, is_logged: bool) -> Answering:
        """How it is asked.

        Args:
            context: Of the run: is shown when an endpoint's rate limit asks to wait, and takes what it is paid.
            processes: That answer here; None is one per core, and one in all for a language model in a folder.
            max_usd: Hard stop of what an endpoint may be paid for a file.
            is_logged: Whether the answers come with what the prediction log keeps of them.

        Raises:
            UsageError: The limit is missing, or limits nothing.
            UndeclaredEndpointError: It asks an endpoint that is not declared here.
        """
        threads: int | None = 1
        if kind_of(self.folder) in PROMPTED_KINDS:
            project = self.case.paths.project
            uri, models = self.settings.resolved_tracking_uri(project), self.case.spec.prompt.models
            loaded = load_stored(uri, self.stored, project.fetched_versions, models)
            if isinstance(loaded.predictor, Prompted) and loaded.predictor.spec.endpoint is not None:
                return self._at_endpoint(context, loaded, loaded.predictor, max_usd, is_logged)
            processes, threads = processes or 1, None  # it takes all cores, and much memory
        if max_usd is not None:
            raise UsageError("--max-usd: this version answers by itself and pays nobody", "leave --max-usd out")
        number, folder = self.stored.version, self.folder
        count = processes or free_cores()
        return lambda blocks, before: by_processes(blocks, folder, number, count, threads, is_logged)

    def log(self) -> BatchLog:
        """The prediction log of what it answers."""
        case = self.case
        return BatchLog(
            self.settings.prediction_log_url(case.paths.project),
            case.name,
            self.stored.version,
            scrubbed(self.folder),
            tuple(case.spec.data.slices),
            case.spec.serve.log,
        )

    def _at_endpoint(
        self, context: Context, loaded: LoadedVersion, prompted: Prompted, max_usd: Usd | None, is_logged: bool
    ) -> Answering:
        project, spec = self.case.paths.project, prompted.spec
        prices = load_prices(project)
        has_price = spec.price in prices.tokens
        if has_price and max_usd is None:
            raise UsageError(
                f"version {self.stored.version} asks {spec.name} at {spec.endpoint}, which costs money",
                "say how much this file may cost at most: --max-usd 5",
            )
        if not has_price and max_usd is not None:
            raise UsageError(
                f"--max-usd: the price of {spec.name} is not known, so nothing limits what is spent",
                "declare it in models/prices.yaml (prompt.models.price), or leave --max-usd out",
            )

        def ask(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
            budget = Budget(math.inf if max_usd is None else _left(max_usd, before.usd))
            context.budgets.append(budget)
            declared = declared_addresses(self.case.spec.prompt.models, self.settings.endpoints)
            where, kept = self.settings.weights_root(project), self.settings.answers_file(project)
            models = LanguageModels(where, prices, kept, budget, declared, "", context.progress.say)
            try:
                connected = prompted.using(models.open(prompted.spec), prompted.spec)
                yield from in_blocks(blocks, connected, loaded.scrub_pii, is_logged, before)
            finally:
                models.close()

        return ask


def _left(max_usd: Usd, paid_usd: Usd | None) -> Usd:
    """What may still be spent on a file.

    Raises:
        UsageError: What its answers cost so far is not known.
    """
    if paid_usd is None:
        raise UsageError(
            "--max-usd: what the answers so far cost is not known, so nothing limits what is spent on the whole file",
            "remove the .unfinished file to begin again: what the endpoint answered is kept and not paid for again",
        )
    return max(0.0, max_usd - paid_usd)


def in_blocks(
    blocks: Blocks, prompted: Prompted, scrub_pii: Sequence[Pii], is_logged: bool, before: EarlierRuns
) -> Generator[list[KeptAnswer]]:
    """Let a prompted version answer blocks of texts; it asks several at once.

    Args:
        blocks: Taken as they are needed.
        prompted: The version, which asks the endpoint.
        scrub_pii: Kinds of personal data to take out of a text.
        is_logged: Whether the answers come with what the prediction log keeps of them.
        before: What earlier runs left.

    Raises:
        PartlyAnsweredError: Money ran out; the answers until there have been given out.
        EndpointError: The endpoint does not answer; what it answered is kept with the answers that were paid for.
    """
    cut_off = before.any  # in the block that comes first now
    for block in blocks:
        texts = [prepared(text, scrub_pii) for text in block]
        try:
            answers = prompted.ask(texts)
        except PartlyAnsweredError as error:
            places = takewhile(error.answers.__contains__, count())
            yield _kept(texts, [error.answers[place] for place in places], is_logged, cut_off)
            raise
        yield _kept(texts, answers, is_logged, cut_off)
        cut_off = False


def _kept(texts: Sequence[str], answers: Sequence[PromptAnswer], is_logged: bool, cut_off: bool) -> list[KeptAnswer]:
    """The answers of a block, each with what it cost.

    One that was kept from before costs nothing, unless a run that was cut off in this block has paid for it.
    """
    kept, paid = list[KeptAnswer](), set[str]()
    for text, prompted in zip(texts, answers, strict=False):
        answer, is_ours = prompted.answer, not prompted.reply.from_cache or (cut_off and text not in paid)
        paid.add(text)
        confidence = None if math.isnan(answer.confidence) else answer.confidence
        seen = seen_now() if is_logged else None
        usd = answer.usd if is_ours else 0.0
        kept.append(KeptAnswer.of(answer.value, confidence, answer.columns(), usd, seen))
    return kept
