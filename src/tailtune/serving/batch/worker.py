"""A process that answers: `python -m tailtune.serving.batch.worker FOLDER VERSION LOGGED`, blocks in, answers out.

A block is a JSON list of texts on a line, and so are its answers. No torch, transformers, pandas or MLflow is loaded
here; a test holds that. It ends when nobody is there to send texts any more.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tailtune.core.errors import TailTuneError
from tailtune.serving.batch.kept import KeptAnswer
from tailtune.serving.batch.seen import LOGGED, seen_of
from tailtune.tasks.answerer import Answerer


def main(folder: str, version: str, is_logged: bool = False) -> None:
    """Answer block after block, each text alone; with what the prediction log keeps of it where it is to be logged."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii") as out:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
        try:
            answerer = Answerer(Path(folder), version)
            for line in sys.stdin:
                answers = [answer(answerer, text, is_logged) for text in json.loads(line)]
                print(json.dumps(answers), file=out, flush=True)
        except TailTuneError as error:
            print(json.dumps({"error": error.message, "hint": error.hint}), file=out, flush=True)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def answer(answerer: Answerer, text: str, is_logged: bool) -> KeptAnswer:
    """Answer a text, as a server's worker does."""
    began = time.perf_counter()
    try:
        prediction = answerer.answer(text)
    except (TailTuneError, OSError, MemoryError):
        raise
    except Exception as error:  # whatever it is, it belongs to this row alone: a server would answer 500
        return KeptAnswer(None, None, problem=f"{type(error).__name__}: {error}"[:300])
    seen = seen_of(prediction, (time.perf_counter() - began) * 1000) if is_logged else None
    return KeptAnswer.of(prediction.value, prediction.confidence, prediction.columns, prediction.usd, seen)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] == LOGGED)
