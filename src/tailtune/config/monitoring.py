"""How a served model is watched: the section `monitor` of model.yaml."""

from __future__ import annotations

from pydantic import Field

from tailtune.config.strict import StrictSpec


class AlertsSpec(StrictSpec):
    """When people are told. Where they are told stands in the environment: an address is a secret."""

    cooldown_hours: float = Field(
        24.0,
        gt=0,
        le=24 * 31,
        description="Hours in which trouble that is no worse is not sent again; trouble that comes back in them is the "
        "same trouble.",
    )
    reminders: bool = Field(
        False, description="Whether trouble that is still there is sent again each time the cool-down has passed."
    )
    silent_hours: float = Field(
        30.0,
        gt=0,
        le=24 * 31,
        description="Hours after the end of a day with answers within which it should be looked at; after them the "
        "monitor is silent, of which people are told.",
    )
    examples: bool = Field(True, description="Whether a message holds two texts of rows, scrubbed.")


class MonitorSpec(StrictSpec):
    """What the monitor looks for, and how often it may be wrong. Read by the monitor; no stage depends on it."""

    false_alarms: float = Field(
        0.05, gt=0, le=0.5, description="Share of months with nightly looks that may alarm although nothing has moved."
    )
    tolerance: float = Field(
        0.01,
        ge=0,
        le=0.5,
        description="By how much a share of one half may move without mattering (0.01 is one point), however many rows "
        "show it. Smaller shares may move less: one of 5 % by 0.4 points, one of 1 % by 0.2.",
    )
    accuracy_fall: float = Field(
        0.02, gt=0, le=0.5, description="Fall of accuracy that matters (0.02 is two points), estimated or audited."
    )
    usd_per_day: float | None = Field(
        None, gt=0, description="Cost of a day's answers from which on an alert is raised, US dollars; null is none."
    )
    alerts: AlertsSpec = Field(default_factory=AlertsSpec, description="When people are told.")
