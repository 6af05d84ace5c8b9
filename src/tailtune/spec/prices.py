"""What things cost: the shape of `models/prices.yaml`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import Field

from tailtune.spec.model import StrictSpec
from tailtune.spec.paths import Paths
from tailtune.spec.yaml_lines import LinedYaml


class PriceSpec(StrictSpec):
    """The price list. Every amount is in US dollars and was true on `as_of`."""

    as_of: date = Field(description="Day on which these prices were looked up.")
    cpu_core_hour_usd: Decimal | None = Field(None, ge=0, description="One processor core for an hour.")
    machine_cores: int = Field(2, ge=1, description="Cores of the machine that runs the stages.")

    @property
    def machine_hour_usd(self) -> float | None:
        """The machine of the stages for an hour; None when no core price is declared."""
        return None if self.cpu_core_hour_usd is None else float(self.cpu_core_hour_usd) * self.machine_cores


def load_prices(paths: Paths) -> PriceSpec:
    """Read `models/prices.yaml`.

    Raises:
        SpecError: The file is missing or has faults.
    """
    return LinedYaml(paths.prices, "models/prices.yaml", "edit models/prices.yaml").parse(PriceSpec)
