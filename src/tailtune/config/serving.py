"""How a use case is served, and what is kept of what it answers: the section `serve` of model.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from tailtune.config.strict import StrictSpec

_ALIAS = r"^[A-Za-z][\w-]{0,59}$"
TextKept = Literal["scrubbed", "hash", "none"]


class LogSpec(StrictSpec):
    """What the prediction log keeps of each answered text. Read by the server and by whoever reads the log."""

    text: TextKept = Field(
        "scrubbed",
        description="What is kept of a text: itself, personal data replaced as curate.scrub_pii says; a hash, which "
        "only shows that two texts are the same; or nothing. Feedback by request id needs the text.",
    )
    embeddings: bool = Field(
        True, description="Whether the model's embedding of a text is kept; drift of meanings is seen in it."
    )
    keep_days: int = Field(90, ge=1, le=3650, description="Days after which a logged row is deleted.")


class LimitsSpec(StrictSpec):
    """What one request may ask, and what may wait, in each worker of a server; beyond it requests are refused."""

    body_kb: int = Field(1024, ge=1, le=1_048_576, description="Kibibytes of a request's body at most.")
    rows: int = Field(256, ge=1, le=100_000, description="Texts of a request at most; files go to tailtune predict.")
    text_chars: int = Field(100_000, ge=1, description="Characters of a text at most.")
    queue_rows: int = Field(512, ge=1, description="Texts that may wait; beyond it the answer is 429.")
    deadline_s: float | None = Field(
        None,
        gt=0,
        le=600,
        description="Seconds after which a version's answer is given up. When null it is 2, and for a prompted version "
        "what its model has as timeout_s, which is also what a request that is passed through may take.",
    )
    passing: int = Field(64, ge=1, le=10_000, description="Requests passed through at the same time at most.")


class ServeSpec(StrictSpec):
    """How requests are answered, and what is logged of them. Read by the server; no stage depends on it."""

    alias: str = Field("champion", pattern=_ALIAS, description="Alias of the registered version that answers.")
    challenger: str = Field(
        "challenger", pattern=_ALIAS, description="Alias of the version that answers beside it, unseen by clients."
    )
    shadow_share: float = Field(0.0, ge=0, le=1, description="Share of requests that the challenger answers too.")
    text_from: str | None = Field(
        None,
        description="Where the text stands in a chat request's last message of the user: fixed words around "
        "`{text}`, as the prompt has them; the whole message when null. Other requests are passed through.",
    )
    passthrough: str | None = Field(
        None,
        description="Model of prompt.models (one with an endpoint) that gets what no version answers; such requests "
        "are refused when null.",
    )
    max_usd_per_day: float | None = Field(
        None,
        gt=0,
        description="Hard stop of what endpoints are paid in a day (UTC), for requests that are passed through and for "
        "answers of a prompted version, US dollars; null is none.",
    )
    limits: LimitsSpec = Field(default_factory=LimitsSpec, description="What one request may ask.")
    log: LogSpec = Field(default_factory=LogSpec, description="What the prediction log keeps.")

    @field_validator("text_from")
    @classmethod
    def _one_text(cls, pattern: str | None) -> str | None:
        if pattern is not None and pattern.count("{text}") != 1:
            raise ValueError("expected the words around the text, with {text} in its place once")
        return pattern
