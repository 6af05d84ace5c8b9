"""A line to one endpoint: connections that stay open between calls, on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from tailtune.config.prompting import LanguageModelSpec

if TYPE_CHECKING:
    from openai import AsyncOpenAI

T = TypeVar("T")
_CLOSE_S = 2.0


class Line:
    """One per endpoint in use. The thread keeps callers free of loops: they may have one running themselves.

    Args:
        spec: The endpoint.
        key: Sent with each request; a placeholder when None, as servers without keys want one all the same.
    """

    def __init__(self, spec: LanguageModelSpec, key: str | None) -> None:
        from tailtune.services.endpoint.transport import open_client

        self.client: AsyncOpenAI = open_client(spec, key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"endpoint {spec.name}", daemon=True)
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin work on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Close the connections and end the thread; a second time does nothing."""
        if self._loop.is_closed():
            return
        if threading.current_thread() is self._thread:  # collected as garbage while the loop ran something
            self._loop.stop()
            return
        if self._thread.is_alive():
            with suppress(Exception):  # whatever a broken connection says while it is closed
                self.start(self.client.close()).result(_CLOSE_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSE_S)
        if not self._thread.is_alive():
            self._loop.close()
