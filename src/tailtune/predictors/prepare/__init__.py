"""What a text goes through before anything answers it: cleaned, then scrubbed. Curation and serving share it.

A model learns and is tested on prepared texts, so a raw text that is answered elsewhere is prepared in the same way.
`predictor.answer` prepares nothing: ladder, training and evaluation hand it curated rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tailtune.predictors.prepare.clean import clean
from tailtune.predictors.prepare.scrub import scrub

if TYPE_CHECKING:
    from tailtune.spec.model import Pii


def prepared(text: str, scrub_pii: Iterable[Pii]) -> str:
    """A raw text as curation writes it, whatever its length.

    Args:
        text: As somebody typed it.
        scrub_pii: Kinds of personal data that were scrubbed from the rows the model learnt from.
    """
    return scrub(clean(text)[0], scrub_pii)[0]
