"""An exported encoder, run by ONNX Runtime: no torch in the process that serves it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tailtune.core.errors import MissingInputError
from tailtune.core.process import free_cores
from tailtune.predictors.base import Floats

IDS, KINDS, HIDDEN = "ids", "kinds", "hidden"
"""Inputs: ids (t,) int64, and how each token's word is written (t,) int64. Output: (t, width) float32."""
MAX_POSITIONS = "max_positions"
"""In the file's metadata: the longest input in tokens."""
_WORTH_THREADS = 64


class OnnxStack:
    """One per exported encoder: `Stack` on ONNX Runtime, each row alone, on one thread of its own.

    A row is never padded nor batched: int8 activations are scaled by what runs together, and a text's answer must not
    depend on its neighbours. Batches gave 15 to 20 % more rows/s.
    """

    def __init__(self, file: Path) -> None:
        """Open the file (about 0.1 s with int8 weights).

        Raises:
            MissingInputError: It is damaged, or was not exported by TailTune.
        """
        self._session = _session(file)
        notes = self._session.get_modelmeta().custom_metadata_map
        if MAX_POSITIONS not in notes:
            raise MissingInputError(f"{file}: not an encoder that TailTune exported", "tailtune run <use-case>")
        self.max_positions = int(notes[MAX_POSITIONS])
        self.width = int(self._session.get_outputs()[0].shape[1])
        self._reads_kinds = any(each.name == KINDS for each in self._session.get_inputs())
        self._threads: ThreadPoolExecutor | None = None

    @contextmanager
    def working(self, rows: int) -> Iterator[None]:
        """With as many threads as the machine has cores, where there are rows for them."""
        cores = free_cores()
        if rows < _WORTH_THREADS or cores == 1:
            yield
            return
        with ThreadPoolExecutor(cores) as threads:
            self._threads = threads
            try:
                yield
            finally:
                self._threads = None

    def hidden(self, ids: Sequence[Sequence[int]], kinds: Sequence[Sequence[int]] = ()) -> list[Floats]:
        """See `Stack`."""
        run = map if self._threads is None or len(ids) == 1 else self._threads.map
        if self._reads_kinds:
            return list(run(self._row, ids, kinds))
        return list(run(self._row, ids))

    def _row(self, ids: Sequence[int], kinds: Sequence[int] | None = None) -> Floats:
        feed = {IDS: np.array(ids, dtype=np.int64)}
        if kinds is not None:
            feed[KINDS] = np.array(kinds, dtype=np.int64)
        hidden: Floats = self._session.run([HIDDEN], feed)[0]
        return hidden


def _session(file: Path) -> Any:
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its own exceptions have no common parent
        raise MissingInputError(
            f"{file}: ONNX Runtime cannot read it ({type(error).__name__})", "tailtune run <use-case>"
        ) from error
