"""The base of every spec."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StrictSpec(BaseModel):
    """Base of every spec: frozen, nothing unknown allowed."""

    model_config = ConfigDict(frozen=True, extra="forbid")
