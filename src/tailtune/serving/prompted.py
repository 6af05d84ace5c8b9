"""Prompted versions in a server: priced, paid from the day's money, and no longer at it than somebody waits."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tailtune.config.endpoints import VARIABLE, Address, declared_addresses, require_declared
from tailtune.core.errors import TailTuneError
from tailtune.serving.plan import ServerPlan
from tailtune.serving.spending import ServedBudget

if TYPE_CHECKING:
    from tailtune.predictors.prompted.rung import Prompted

_RETRIES = 1


class Connecting:
    """One per worker: how prompted versions ask their endpoint.

    Args:
        plan: Of the server.
        budget: Who pays.
    """

    def __init__(self, plan: ServerPlan, budget: ServedBudget) -> None:
        self._plan, self._budget = plan, budget

    def __call__(self, prompted: Prompted) -> Prompted:
        """A saved prompt as it asks here.

        Raises:
            UndeclaredEndpointError: Its endpoint is none that may be asked here.
            TailTuneError: What it costs is not known, and there is a limit.
        """
        from tailtune.predictors.prompted.opening import open_model

        spec, plan = prompted.spec, self._plan
        declared = declared_addresses((), os.environ.get(VARIABLE))
        require_declared(spec.name, Address.of(spec.endpoint or "", spec.key_env), declared, "model.yaml")
        price = plan.prices.get(spec.price or "")
        if price is None and plan.max_usd_per_day is not None:
            raise TailTuneError(
                f"serve.max_usd_per_day: what {spec.name} costs is not known, so nothing limits what is spent",
                f"declare {spec.price or 'a price'} in models/prices.yaml (prompt.models.price)",
            )
        # Whoever asked has left after the deadline, and an attempt costs money.
        timeout_s = min(spec.timeout_s, plan.limits.deadline(spec.timeout_s))
        bounded = spec.model_copy(update={"timeout_s": timeout_s, "retries": min(spec.retries, _RETRIES)})
        model = open_model(bounded, price=price, budget=self._budget, served=True)
        return replace(prompted.using(model, spec), name=prompted.name)
