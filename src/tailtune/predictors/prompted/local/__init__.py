"""Causal language models in this process, through transformers; answers held to a JSON Schema where asked."""

from tailtune.predictors.prompted.local.model import LocalModel

__all__ = ["LocalModel"]
