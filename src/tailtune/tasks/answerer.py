"""A served version: texts as people type them in, answers out, with everything that is logged of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.errors import TailTuneError
from tailtune.core.money import Usd
from tailtune.predictors.base import Predictor
from tailtune.predictors.novelty import Novelty
from tailtune.predictors.passes import Passes, recorded
from tailtune.predictors.prepare import prepared
from tailtune.predictors.reading import served_encoder, unknown_id
from tailtune.tasks import saved

Connect = Callable[[Any], Predictor]
"""Given a prompted predictor (`Prompted`): the same, as it asks here."""
LIKELIEST = 5
TRIED = "a text to see whether it answers"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One per answered text.

    Attributes:
        text: As it was answered: cleaned, personal data scrubbed.
        value: The label, or the JSON object as text; None when there is no valid answer.
        confidence: Calibrated probability of the value, 0 to 1; None when the model has none.
        likeliest: Labels with their probabilities, likeliest first; of an extractor, fields with their confidences.
        columns: What MLflow's interface answers: column → text or number.
        embedding: float16 vector of the pass that answered, as bytes; None without an encoder.
        novelty: 1 − cosine to the nearest centre of the train texts; None where it is not known.
        tokens: Of the text, `[CLS]` and `[SEP]` included; None without an encoder.
        unknown_share: Share of tokens that the encoder does not know; None without an encoder.
        usd: Paid to an endpoint; None when not known, 0 for local work.
    """

    text: str
    value: str | None
    confidence: float | None
    likeliest: tuple[tuple[str, float], ...]
    columns: Mapping[str, Any]
    embedding: bytes | None = None
    novelty: float | None = None
    tokens: int | None = None
    unknown_share: float | None = None
    usd: Usd | None = 0.0

    @property
    def is_object(self) -> bool:
        """Whether the value is a JSON object."""
        return "json" in self.columns


class Answerer:
    """One per loaded version. `answer` may be called by several threads at the same time.

    Attributes:
        version: Its number in the registry.
        task: `classification` or `extraction`.
        labels: What a classifier may answer; empty for an extractor, and where it is not known.
        fields: Of an extractor's object; empty for a classifier.
        timeout_s: Of the endpoint that it asks; None where it answers by itself.
    """

    def __init__(self, folder: Path, version: str, connect: Connect | None = None) -> None:
        """Load a version's folder, and let it answer once, unless that costs money.

        Args:
            folder: Of its files.
            version: Its number.
            connect: Makes a prompted predictor ask its endpoint as it should here; as it was saved when None.

        Raises:
            TailTuneError: It does not load or answer.
        """
        self.version = version
        try:
            self._predictor: Predictor = saved.load(folder)
            self._scrub_pii = saved.scrubbed(folder)
            self._novelty = Novelty.load(folder)
            encoder = served_encoder(folder)
            self._unknown = None if encoder is None else unknown_id(encoder)
            spec = getattr(self._predictor, "spec", None)
            self.timeout_s: float | None = spec.timeout_s if spec is not None and spec.endpoint else None
            if connect is not None and self.timeout_s is not None:
                self._predictor = connect(self._predictor)
            self.labels = tuple(getattr(self._predictor, "labels", ()))
            schema = getattr(self._predictor, "schema", None)
            self.fields = () if schema is None else tuple(field.name for field in schema.fields)
            if self.local:
                self.answer(TRIED)
        except TailTuneError:
            raise
        except Exception as error:  # libraries that read its files raise errors of their own
            raise TailTuneError(f"{folder}: the version does not answer ({type(error).__name__}: {error})") from error

    @property
    def local(self) -> bool:
        """Whether it answers by itself."""
        return self.timeout_s is None

    def answer(self, text: str) -> Prediction:
        """Answer one text, always alone: so that no answer depends on what else is asked."""
        ready = prepared(text, self._scrub_pii)
        with recorded() as passes:
            likeliest = getattr(self._predictor, "likeliest", None)
            if likeliest is not None:
                answer, best = likeliest(ready, LIKELIEST)
            else:
                (answer,) = self._predictor.answer([ready])
                best = tuple(sorted(getattr(answer, "confidences", {}).items()))
        confidence = None if math.isnan(answer.confidence) else answer.confidence
        return Prediction(
            text=ready,
            value=answer.value,
            confidence=confidence,
            likeliest=best,
            columns=answer.columns(),
            usd=answer.usd,
            **self._seen(passes),
        )

    def _seen(self, passes: Passes) -> dict[str, Any]:
        """What the encoder made of the text."""
        if not passes.vectors:
            return {}
        vector, ids = passes.vectors[0], passes.ids[0]
        return {
            "embedding": vector.astype(np.float16).tobytes(),
            "novelty": None if self._novelty is None else self._novelty.score(vector),
            "tokens": len(ids),
            "unknown_share": sum(each == self._unknown for each in ids) / len(ids),
        }
