"""What a server's worker processes are handed, as one JSON file: everything that is declared, and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tailtune.config.model import Pii
from tailtune.config.prices import TokenPrice
from tailtune.core.records import Record

_DEADLINE_S = 2.0


class Upstream(Record):
    """One per server that passes requests through: the model that answers what no version answers."""

    name: str = Field(description="As in model.yaml.")
    model: str = Field(description="What the endpoint calls it.")
    endpoint: str = Field(description="Base URL of the API.")
    key_env: str | None = Field(None, description="Environment variable of the key.")
    timeout_s: float = 60.0
    price: TokenPrice | None = Field(None, description="Of its tokens; null when not known.")


class Limits(Record):
    """One per server: what a request may ask at most, and what may wait."""

    body_bytes: int = 1 << 20
    rows: int = 256
    text_chars: int = 100_000
    queue_rows: int = 512
    deadline_s: float | None = None
    passing: int = 64
    headers_s: float = Field(10.0, description="Seconds within which a request's headers have to come.")
    headers_bytes: int = Field(65_536, description="Bytes of them at most, besides what one reading brings.")
    body_s: float = Field(20.0, description="Seconds within which a body has to come.")
    write_s: float = Field(
        30.0, description="Seconds within which a client has to take an answer, or a piece of a stream."
    )

    def deadline(self, timeout_s: float | None) -> float:
        """Seconds within which an answer has to be there.

        Args:
            timeout_s: Of the endpoint that writes it; None where the version answers by itself.
        """
        return self.deadline_s or timeout_s or _DEADLINE_S


class ServerPlan(Record):
    """One per start of a server."""

    use_case: str
    task: Literal["classification", "extraction"]
    state: Path = Field(description="Folder of everything that this server writes.")
    spool: Path = Field(description="Folder of the prediction log's spool.")
    threads: int = Field(1, ge=1, description="Texts that a worker answers at the same time.")
    limits: Limits = Limits()
    text_from: str | None = Field(None, description="Words around `{text}` in the last message; null: all of it.")
    upstream: Upstream | None = None
    max_usd_per_day: float | None = None
    prices: dict[str, TokenPrice] = Field(default_factory=dict, description="What a prompted version may name.")
    shadow_share: float = 0.0
    tokens: Path | None = Field(None, description="File of hashed bearer tokens; null: nobody has to show one.")
    only_this_machine: bool = Field(False, description="Whether what pages of other machines send is refused.")
    scrub_pii: tuple[Pii, ...] = ()
    keep_text: Literal["scrubbed", "hash", "none"] = "scrubbed"
    keep_embeddings: bool = True
    slices: tuple[str, ...] = ()

    @property
    def current(self) -> Path:
        """The file that says which version answers."""
        return self.state / "current.json"

    @property
    def metrics(self) -> Path:
        """The folder in which processes count."""
        return self.state / "metrics"
