"""Language models behind OpenAI-compatible endpoints: asked a few at once, within a limit, each answer paid for once.

Importing this loads neither the client nor the database.
"""

from __future__ import annotations

from tailtune.services.endpoint.budget import Hold, Purse
from tailtune.services.endpoint.cache import AnswerCache
from tailtune.services.endpoint.client import Endpoint
from tailtune.services.endpoint.tokens import count_tokens

__all__ = ["AnswerCache", "Endpoint", "Hold", "Purse", "count_tokens"]
