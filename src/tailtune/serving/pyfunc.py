"""The model that MLflow loads: texts in, labels or JSON objects out. MLflow runs this file from the model's own folder.

Texts come as people type them; each is cleaned and scrubbed as the rows were that the model learnt from.

Load it anywhere: `mlflow.pyfunc.load_model("models:/<name>@champion").predict(pandas.DataFrame({"text": [...]}))`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd

if TYPE_CHECKING:
    from tailtune.config.model import Pii
    from tailtune.predictors.base import Predictor


# Before our own libraries are imported. config/settings.py has the full list; the model travels without it.
for _key, _value in {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}.items():
    os.environ.setdefault(_key, _value)


class TailTuneModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """One per loaded model. Loads once, answers in order."""

    _predictor: Predictor
    _scrub_pii: tuple[Pii, ...]

    def load_context(self, context: Any) -> None:
        """Bring back the predictor; MLflow calls this once, by this very name and argument."""
        from tailtune.tasks.saved import load, scrubbed

        folder = Path(context.artifacts["predictor"])
        self._predictor, self._scrub_pii = load(folder), scrubbed(folder)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Answer texts.

        Args:
            context: MLflow's; unused.
            model_input: A frame with the column `text`, or a list of strings.
            params: Unused.

        Returns:
            One row per text, in order. A classifier's columns are `label` and `confidence`; an extractor's are `json`
            (the object), `confidence` (of its least sure field), and per field, as JSON, `confidences` and `reasons`.
        """
        from tailtune.predictors.prepare import prepared

        texts = _texts(model_input)
        # Without a text there is no answer to tell the columns from; an empty text has one.
        questions = [prepared(text, self._scrub_pii) for text in texts or [""]]
        answers = [answer.columns() for answer in self._predictor.answer(questions)]
        numbers = {name for name, value in answers[0].items() if isinstance(value, float)}
        return pd.DataFrame(
            {
                name: pd.Series(
                    [answer[name] for answer in answers][: len(texts)], dtype="float64" if name in numbers else object
                )
                for name in answers[0]
            }
        )


def _texts(given: Any) -> list[str]:
    if isinstance(given, pd.DataFrame):
        if "text" not in given.columns:
            raise ValueError(f"expected a column `text`, found {', '.join(map(str, given.columns)) or 'none'}")
        given = given["text"]
    return [given] if isinstance(given, str) else [_text(text) for text in given]


def _text(given: Any) -> str:
    """A missing text is an empty one, as in the files that are curated."""
    return given if isinstance(given, str) else "" if pd.isna(given) else str(given)


mlflow.models.set_model(TailTuneModel())
