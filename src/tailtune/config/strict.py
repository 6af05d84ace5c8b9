"""What every spec is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from tailtune.core.money import Usd

SpendingLimit = Annotated[
    Usd, PlainSerializer(lambda usd: str(usd).removesuffix(".0"), return_type=str, when_used="json")
]
"""US dollars that may be spent. As JSON it is text, `"5"`: so digests and MLflow have always had it."""


class StrictSpec(BaseModel):
    """Base of every spec: frozen, nothing unknown or infinite allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
