"""Language models behind OpenAI-compatible endpoints: a few requests at once, within a budget, each paid for once.

Importing this loads neither the client nor the database.
"""

from __future__ import annotations

from tailtune.services.endpoint.budget import Budget, Reservation, count_tokens
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.services.endpoint.client import Endpoint
from tailtune.services.endpoint.usage import read_usage

__all__ = ["AnswerCache", "Budget", "Endpoint", "Reservation", "count_tokens", "read_usage"]
