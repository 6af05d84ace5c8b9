"""The order of a model's life. `dvc.yaml`, the flows, the CLI and the docs are held against this table by tests."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tailtune.core.reports import Report

MODEL = "models/${key}/model.yaml"


@dataclass(frozen=True, slots=True)
class Stage:
    """One per stage.

    Attributes:
        name: Verb of the CLI, DVC stage and report file.
        family: The Prefect flow that runs it.
        summary: One line for `tailtune --help` and the docs.
        run: Where the function is, `module:function`; imported only when the stage runs.
        sections: Spec sections it reads; editing another section leaves it fresh.
        reads: Its DVC dependencies; `${key}` stands for the use case, `${item.answers}` for the file that says what an
            answer may be.
        writes: Its DVC outputs besides `reports/${key}/<name>.json`.
        own_process: Whether a flow gives it a process of its own, so that its memory is given back.
        libraries: What it imports that takes seconds; a flow does so while it waits for its server.
    """

    name: str
    family: str
    summary: str
    run: str
    sections: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    own_process: bool = False
    libraries: tuple[str, ...] = ()

    @property
    def report(self) -> str:
        """The metrics file, as in dvc.yaml."""
        return f"reports/${{key}}/{self.name}.json"

    def load(self) -> Callable[..., Report]:
        """Import the stage's function, which takes a `Context`."""
        module, _, function = self.run.partition(":")
        loaded: Callable[..., Report] = getattr(importlib.import_module(module), function)
        return loaded


def _build(*parts: str) -> tuple[str, ...]:
    return tuple(f"build/${{key}}/{part}" for part in parts)


def _reports(*stages: str) -> tuple[str, ...]:
    return tuple(f"reports/${{key}}/{stage}.json" for stage in stages)


ANSWERS = ("models/${key}/${item.answers}",)
PRICES = ("models/prices.yaml",)
PROMPTS = ("models/${key}/prompts",)
TRAIN_DEV = _build("curate/train.parquet", "curate/dev.parquet")
TEST = _build("curate/test.parquet")
EARLIER_REPORTS = _reports(
    "curate", "validate", "ladder", "prompt", "diagnose", "decide", "train", "export", "evaluate"
)

STAGES: tuple[Stage, ...] = (
    Stage(
        name="curate",
        family="curation",
        summary="Clean, scrub, de-duplicate and split; each drop has a reason.",
        run="tailtune.lifecycle.curate:run",
        sections=("task", "data", "curate", "split"),
        reads=(*ANSWERS, "data/${key}"),
        writes=_build("curate/train.parquet", "curate/dev.parquet", "curate/test.parquet", "curate/dropped.jsonl"),
    ),
    Stage(
        name="validate",
        family="validation",
        summary="Check the rows: Great Expectations suite and leakage gate.",
        run="tailtune.lifecycle.validate.step:run",
        sections=("data", "curate", "validate", "targets"),
        reads=(*ANSWERS, "data/${key}", *TRAIN_DEV, *TEST, *_build("curate/dropped.jsonl")),
        writes=_build("validate"),
        libraries=("great_expectations",),
    ),
    Stage(
        name="ladder",
        family="training",
        summary="Measure every cheaper rung on the dev rows.",
        run="tailtune.lifecycle.ladder:run",
        sections=("curate", "ladder"),  # curate: a saved predictor notes what is scrubbed
        reads=(*ANSWERS, *PRICES, *TRAIN_DEV, *_build("validate/passed.json")),
        writes=_build("ladder"),
        libraries=("torch", "sklearn.linear_model"),
    ),
    Stage(
        name="prompt",
        family="training",
        summary="Measure prompted models on dev, no further than needed.",
        run="tailtune.lifecycle.prompt.step:run",
        sections=("curate", "ladder", "prompt", "targets"),
        reads=(*ANSWERS, *PRICES, *PROMPTS, *TRAIN_DEV, *_build("validate/passed.json", "ladder"), *_reports("ladder")),
        writes=_build("prompt"),
    ),
    Stage(
        name="diagnose",
        family="training",
        summary="Say of each failure if model, context or label is at fault.",
        run="tailtune.lifecycle.diagnose:run",
        sections=("curate", "prompt", "targets"),
        reads=(*ANSWERS, *PRICES, *TRAIN_DEV, *_build("ladder", "prompt"), *_reports("prompt")),
        writes=_build("diagnose"),
    ),
    Stage(
        name="decide",
        family="training",
        summary="Say, before money is spent, whether a fine-tune can pay.",
        run="tailtune.lifecycle.decide:run",
        sections=("targets", "value", "train"),
        reads=(*PRICES, *_reports("ladder", "prompt", "diagnose")),
        writes=_build("decide"),
    ),
    Stage(
        name="train",
        family="training",
        summary="Train a LoRA adapter, if the decision lets it.",
        run="tailtune.lifecycle.train:run",
        sections=("curate", "train"),
        reads=(*ANSWERS, *PRICES, *TRAIN_DEV, *_build("decide/ticket.json")),
        writes=_build("train"),
        own_process=True,
    ),
    Stage(
        name="export",
        family="training",
        summary="Export what may win to ONNX; int8 where answers stay the same.",
        run="tailtune.lifecycle.export:run",
        sections=("task",),
        reads=(*ANSWERS, *TRAIN_DEV, *_build("ladder", "prompt", "train", "decide/ticket.json")),
        writes=_build("export"),
        libraries=("torch", "onnx"),
    ),
    Stage(
        name="evaluate",
        family="evaluation",
        summary="Open test once: fine-tune and best cheaper rung, paired.",
        run="tailtune.lifecycle.evaluate:run",
        sections=("evaluate", "prompt", "targets", "value", "train"),
        reads=(
            *ANSWERS,
            *PRICES,
            *TEST,
            *_build("validate/passed.json", "ladder", "prompt", "train", "export", "decide/ticket.json"),
            *_reports("ladder", "prompt", "diagnose", "decide"),
        ),
        writes=_build("evaluate"),
        libraries=("torch",),
    ),
    Stage(
        name="register",
        family="versioning",
        summary="Register the winner in MLflow; a gate decides who is champion.",
        run="tailtune.lifecycle.register.step:run",
        sections=("data", "curate", "split", "prompt", "register", "targets", "value"),
        # Its page and the files beside the model quote all reports; the last stage makes nothing stale after it.
        reads=(
            *ANSWERS,
            *PRICES,
            *_build("curate/dev.parquet"),
            *TEST,
            *_build("ladder", "prompt", "train", "export", "evaluate"),
            *EARLIER_REPORTS,
        ),
        writes=_build("register"),
        libraries=("mlflow.pyfunc",),
    ),
)

BY_NAME: dict[str, Stage] = {stage.name: stage for stage in STAGES}
FAMILIES: tuple[str, ...] = tuple(dict.fromkeys(stage.family for stage in STAGES))


def family(name: str) -> tuple[Stage, ...]:
    """The stages of one flow, in order."""
    return tuple(stage for stage in STAGES if stage.family == name)
