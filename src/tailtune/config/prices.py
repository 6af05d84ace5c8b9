"""What things cost: the shape of `models/prices.yaml`."""

from __future__ import annotations

from datetime import date
from typing import Any

from pydantic import Field, field_validator

from tailtune.config.formats import is_date
from tailtune.config.located import LinedYaml
from tailtune.config.paths import Paths
from tailtune.config.strict import StrictSpec
from tailtune.core.money import Usd, known_product


class TokenPrice(StrictSpec):
    """What a language model's tokens cost, US dollars for a million."""

    input_usd_per_million: Usd = Field(ge=0, description="Tokens of the prompt.")
    output_usd_per_million: Usd = Field(ge=0, description="Tokens of the answer.")
    cached_input_usd_per_million: Usd | None = Field(
        None, ge=0, description="Tokens of the prompt that the endpoint had cached; as input when null."
    )

    cache_write_usd_per_million: Usd | None = Field(
        None, ge=0, description="Tokens of the prompt that the endpoint wrote to its cache; as input when null."
    )

    def usd(
        self, input_tokens: int, output_tokens: int, cached_input_tokens: int = 0, cache_write_tokens: int = 0
    ) -> Usd:
        """US dollars of one answer; cached tokens, and those written to the cache, are parts of `input_tokens`."""
        fresh, cached, write = (
            self.input_usd_per_million if price is None else price
            for price in (None, self.cached_input_usd_per_million, self.cache_write_usd_per_million)
        )
        total = (input_tokens - cached_input_tokens - cache_write_tokens) * fresh
        total += cached_input_tokens * cached + cache_write_tokens * write
        return (total + output_tokens * self.output_usd_per_million) / 1_000_000


def list_usd(
    price: TokenPrice | None,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_input_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> Usd | None:
    """US dollars at list price; None when the price or the tokens are not known."""
    if price is None or input_tokens is None or output_tokens is None:
        return None
    return price.usd(input_tokens, output_tokens, cached_input_tokens, cache_write_tokens)


DEFAULTS_OF = date(2026, 11, 1)
DEFAULTS: dict[str, Usd] = {
    "cpu_core_hour_usd": 0.04, "person_hour_usd": 75.0, "label_usd": 0.08, "storage_gb_month_usd": 0.023,
}  # fmt: skip
"""What models/prices.yaml comes with: an example until somebody looks prices up."""


class PriceSpec(StrictSpec):
    """The price list. Every amount is in US dollars and was true on `as_of`."""

    as_of: date = Field(
        description="Day on which these prices were looked up. A price that is as it came with TailTune, and of that "
        "day, is a default that nobody declared, and is named where it decides."
    )
    cpu_core_hour_usd: Usd | None = Field(None, ge=0, description="One processor core for an hour.")
    machine_cores: int = Field(2, ge=1, description="Cores of the machine that runs the stages.")
    serving_cores: int = Field(2, ge=1, description="Cores that serve a model of our own at least, day and night.")
    utilisation: float = Field(
        0.6, gt=0, le=1, description="Share of a day that a serving core may be busy, 0 to 1; the rest is for peaks."
    )
    person_hour_usd: Usd | None = Field(None, ge=0, description="An hour of a person's work.")
    label_usd: Usd | None = Field(None, ge=0, description="One labelled row.")
    storage_gb_month_usd: Usd | None = Field(None, ge=0, description="A gigabyte kept for a month.")
    tokens: dict[str, TokenPrice] = Field(default_factory=dict, description="Language model → price of its tokens.")

    @field_validator("as_of", mode="before")
    @classmethod
    def _in_quotes(cls, day: Any) -> Any:
        """The same day, also where it stands in quotes."""
        return date.fromisoformat(day) if isinstance(day, str) and is_date(day) else day

    @property
    def defaults(self) -> frozenset[str]:
        """Prices that nobody declared: they are as they came, and so is the day."""
        shipped = {name for name, price in DEFAULTS.items() if getattr(self, name) == price}
        return frozenset(shipped) if self.as_of == DEFAULTS_OF else frozenset()

    @property
    def machine_hour_usd(self) -> Usd | None:
        """The machine of the stages for an hour; None when no core price is declared."""
        return known_product(self.cpu_core_hour_usd, self.machine_cores)


def load_prices(paths: Paths) -> PriceSpec:
    """Read `models/prices.yaml`.

    Raises:
        SpecError: The file is missing or has faults.
    """
    return LinedYaml(paths.prices, "models/prices.yaml", "edit models/prices.yaml").parse(PriceSpec)
