"""Which language models are prompted, how, and for how much: the section `prompt` of model.yaml."""

from __future__ import annotations

from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from tailtune.config.request import faults_in
from tailtune.config.strict import SpendingLimit, StrictSpec
from tailtune.core.secrets import secret_in

PromptRungName = Literal[
    "lm_zero_shot", "lm_few_shot", "lm_chain_of_thought", "lm_retrieval", "lm_constrained", "lm_strong", "lm_optimised"
]
_EMBEDDED_ROWS, _EMBEDDED_FIELDS, _LEAST_ROWS, _EMBEDDED_MINUTES = 100, 400, 8, 10.0
PROMPT_RUNGS: tuple[PromptRungName, ...] = get_args(PromptRungName)
_USUAL: tuple[PromptRungName, ...] = PROMPT_RUNGS[:-1]  # the optimiser is an optional extra


def address_fault(url: str) -> str:
    """Why an address cannot be asked; empty when it can."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # no port, or brackets that are no IPv6 address
        return f"no address of a server ({error}); expected https://HOST:PORT/v1"
    if not usable or not url.isprintable() or " " in url:
        return "no address of a server; expected https://HOST/v1"
    return ""


class LanguageModelSpec(StrictSpec):
    """One per language model: an OpenAI-compatible endpoint, a causal model in a folder, or the embedded one."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,59}$", description="What reports and caches call it.")
    role: Literal["base", "strong"] = Field("base", description="base answers; strong is asked where base fails.")
    endpoint: str | None = Field(
        None, pattern=r"^https?://", description="Base URL of the API, e.g. http://127.0.0.1:11434/v1."
    )
    folder: str | None = Field(
        None, description="Folder of a local causal model (safetensors) instead, relative to the project root."
    )
    embedded: Literal["smollm2"] | None = Field(
        None, description="Small model that comes with the installation, instead: smollm2."
    )
    model: str = Field("", description="What the endpoint calls it; its name when empty.")
    key_env: str | None = Field(
        None, pattern=r"^[A-Z][A-Z0-9_]*$", description="Environment variable with the key; none is sent when null."
    )
    price: str | None = Field(None, description="Entry of prices.yaml `tokens`; the cost is not known when null.")
    context_tokens: int = Field(8192, ge=256, description="Most tokens of prompt and answer together.")
    max_output_tokens: int = Field(512, ge=8, description="Most tokens of an answer.")
    temperature: float = Field(0.0, ge=0, le=2, description="0 takes the likeliest token.")
    structured: Literal["json_schema", "json_object", "none"] = Field(
        "json_schema", description="What constrained decoding it knows; falls back, with a note, when refused."
    )
    concurrency: int = Field(4, ge=1, le=256, description="Requests in flight at most.")
    timeout_s: float = Field(60.0, gt=0, description="Seconds for one request, all of it.")
    retries: int = Field(4, ge=0, le=20, description="Times a request is sent again after 5xx or a timeout.")
    request: dict[str, Any] = Field(
        default_factory=dict,
        description="Other parameters of each request to an endpoint, e.g. reasoning_effort: low. null leaves one out "
        "(temperature: null); $max_output_tokens or $temperature as value sends that under another name.",
    )
    rate_limit_wait_s: float = Field(
        600.0, ge=0, le=86_400, description="Seconds that a rate limit is waited out at most, without one answer."
    )

    @field_validator("endpoint")
    @classmethod
    def _may_be_asked(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        secret, fault = secret_in(endpoint), address_fault(endpoint)
        if secret:
            raise ValueError(
                f"{secret} stands in the address, which is kept in git, reports and MLflow; expected the bare address, "
                "and the key in the environment variable that key_env names"
            )
        if fault:
            raise ValueError(fault)
        return endpoint

    @model_validator(mode="after")
    def _one_place(self) -> LanguageModelSpec:
        if [self.endpoint, self.folder, self.embedded].count(None) != 2:
            raise ValueError(f"{self.name}: name either an endpoint or a folder, or the embedded model")
        return self

    @model_validator(mode="after")
    def _request_may_be_sent(self) -> LanguageModelSpec:
        faults = faults_in(self.request, self.structured)
        if self.request and self.local:
            faults = ["it is for endpoints; a local model takes temperature and max_output_tokens"]
        if faults:
            raise ValueError(f"request of {self.name}: {'; '.join(faults)}")
        return self

    @property
    def local(self) -> bool:
        """Whether it answers in this process."""
        return self.endpoint is None

    @property
    def called(self) -> str:
        """What the endpoint calls it."""
        return self.model or self.name


EMBEDDED = LanguageModelSpec(name="smollm2", embedded="smollm2", max_output_tokens=1024, concurrency=1)
"""What is prompted where no model is declared: an answer at a time, so that its time is its own."""


class PromptSpec(StrictSpec):
    """Which prompted models are measured before anything is trained. Read by prompt and diagnose."""

    models: tuple[LanguageModelSpec, ...] = Field(
        (EMBEDDED,),
        description="At most one of each role; the embedded model where the key is missing. [] prompts none, and then "
        "no fine-tune is proposed.",
    )
    rungs: tuple[PromptRungName, ...] = Field(_USUAL, min_length=1, description="Rungs, cheapest first.")
    shots: int = Field(8, ge=1, le=100, description="Examples in a prompt.")
    max_cost_usd: SpendingLimit = Field(1, gt=0, description="Hard stop of each stage's spending, US dollars.")
    stop: Literal["settled", "never"] = Field(
        "settled", description="settled stops buying rows when every comparison is settled; never buys all."
    )
    batch_rows: int = Field(50, ge=1, le=10_000, description="Dev rows bought between two interim analyses.")
    min_rows: int = Field(100, ge=1, description="Dev rows bought before the first interim analysis.")
    max_rows: int = Field(1000, ge=1, description="Dev rows bought for a rung at most.")
    embedded_rows: int | None = Field(
        None,
        ge=1,
        description="The same of the embedded model; when null 100 rows, or as few as have 400 fields between them.",
    )
    max_minutes: float | None = Field(
        None,
        gt=0,
        description="Minutes that models on this machine may take in all; what that stops is named. When null the "
        "embedded model has 10, and others no limit.",
    )
    optimise_calls: int = Field(200, ge=10, description="Rows that the prompt optimiser may ask for at most.")

    @model_validator(mode="after")
    def _one_of_each(self) -> PromptSpec:
        for what in ("name", "role"):
            declared: list[str] = [getattr(model, what) for model in self.models]
            twice = sorted({value for value in declared if declared.count(value) > 1})
            if twice:
                raise ValueError(f"models: {what} {', '.join(twice)} stands twice")
        if self.models and self.model("base") is None:
            raise ValueError("models: one must have the role base")
        return self

    def model(self, role: str) -> LanguageModelSpec | None:
        """The declared model of a role."""
        return next((model for model in self.models if model.role == role), None)


def most_rows(prompt: PromptSpec, model: LanguageModelSpec, fields: int = 1) -> int:
    """Dev rows bought of a model for a rung at most.

    Args:
        prompt: What is declared.
        model: Who answers.
        fields: Of an answer.
    """
    if model.embedded is None:
        return prompt.max_rows
    few = max(_LEAST_ROWS, min(_EMBEDDED_ROWS, _EMBEDDED_FIELDS // fields))
    return min(prompt.max_rows, few if prompt.embedded_rows is None else prompt.embedded_rows)


def most_minutes(prompt: PromptSpec, model: LanguageModelSpec) -> float | None:
    """Minutes that a model's rungs may take in all; None without a limit."""
    if prompt.max_minutes is None and model.embedded is not None:
        return _EMBEDDED_MINUTES
    return prompt.max_minutes if model.local else None
