"""No labels at all: the label's own words and description, read by the encoder."""

from __future__ import annotations

from tailtune.tasks.classification.rungs import ClassifyContext
from tailtune.tasks.classification.similarity import NearestVector


class ZeroShot(NearestVector):
    """Nearest label description by cosine similarity."""

    @classmethod
    def fit(cls, context: ClassifyContext) -> ZeroShot:
        """Embed each label as `label words: description`."""
        texts = [described(label, description) for label, description in context.labels.items()]
        return cls(tuple(context.labels), context.embed(texts), 0, context.embed)


def described(label: str, description: str) -> str:
    """What the encoder reads for a label."""
    words = label.replace("_", " ").replace("-", " ")
    return f"{words}: {description}" if description and description.casefold() != words.casefold() else words
