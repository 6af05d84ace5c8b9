"""What every spec is made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, PlainSerializer, field_validator

from tailtune.core.money import Usd

SpendingLimit = Annotated[
    Usd, PlainSerializer(lambda usd: str(usd).removesuffix(".0"), return_type=str, when_used="json")
]
"""US dollars that may be spent. As JSON it is text, `"5"`: so digests and MLflow have always had it."""


class StrictSpec(BaseModel):
    """Base of every spec: frozen, nothing unknown or infinite allowed, and no value turned into one of another kind.

    `yes` is no number, 1 is no yes, and 7 is no text; a whole number is a number, though, and a list is a tuple.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    @field_validator("*", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("*")
    @classmethod
    def _each_once(cls, value: Any) -> Any:
        """A rung that is listed twice would be measured twice, and a column written twice."""
        names = [item for item in value if isinstance(item, str)] if isinstance(value, tuple) else []
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} stands twice")
        return value
