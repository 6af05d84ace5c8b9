"""How a use case is served, and what is kept of what it answers: the section `serve` of model.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tailtune.config.strict import StrictSpec

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


class ServeSpec(StrictSpec):
    """How requests are answered, and what is logged of them. Read by the server; no stage depends on it."""

    log: LogSpec = Field(default_factory=LogSpec, description="What the prediction log keeps.")
