"""Servers that benchmarks/serving.py compares with, each on its own: `python _serving_peers.py KIND PORT FOLDER`.

constant: answers the same at once. pipeline: a transformers pipeline of the very model behind FastAPI. llm: an
OpenAI-compatible double that answers after as many milliseconds as FOLDER says.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from tailtune.predictors.adapter import lora_deltas
from tailtune.predictors.reading import encoder_path
from tailtune.tasks import saved


class Body(BaseModel):
    text: str


def pipeline_of(folder: Path, threads: int) -> Callable[..., list[tuple[str, float]]]:
    """A version's model as a transformers user would run it: the merged encoder in a pipeline, its head on top.

    Args:
        folder: The version's predictor: a classifier's fine-tune, probe, prototypes or zero-shot.
        threads: Of torch.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer, pipeline

    torch.set_num_threads(threads)
    model = AutoModel.from_pretrained(encoder_path(), dtype=torch.float32, add_pooling_layer=False)
    if (folder / "adapter").is_dir():
        for name, delta in lora_deltas(folder / "adapter").items():
            model.get_submodule(name).weight.data += delta
    tokenizer = AutoTokenizer.from_pretrained(encoder_path())
    encode = pipeline("feature-extraction", model=model, tokenizer=tokenizer, device="cpu")
    predictor: Any = saved.load(folder)

    def answer(texts: Sequence[str], batch: int = 1) -> list[tuple[str, float]]:
        vectors = []
        for hidden in encode(list(texts), batch_size=batch, truncation=True):
            states = np.asarray(hidden[0], dtype=np.float32)
            mean = states.mean(axis=0)
            vectors.append(mean / np.linalg.norm(mean))
        kept, predictor.__dict__["embed"] = predictor.embed, lambda _: np.array(vectors)
        try:
            probabilities = predictor.probabilities(texts)
        finally:
            predictor.__dict__["embed"] = kept
        best = probabilities.argmax(axis=1)
        return [(predictor.labels[at], float(row[at])) for row, at in zip(probabilities, best, strict=True)]

    return answer


def serve_constant(port: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    _uvicorn(app, port)


def serve_pipeline(port: int, folder: Path) -> None:
    from fastapi import FastAPI

    answer, api = pipeline_of(folder, threads=1), FastAPI()

    @api.post("/predict")
    def predict(body: Body) -> dict[str, Any]:
        ((label, confidence),) = answer([body.text])
        return {"answer": label, "confidence": confidence}

    _uvicorn(api, port)


def serve_llm(port: int, wait_ms: float) -> None:
    answered = json.dumps(
        {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "double",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "refund"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
        }
    ).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answered)).encode())]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(wait_ms / 1000)
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answered})

    _uvicorn(app, port)


def _uvicorn(app: Any, port: int) -> None:
    import uvicorn

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off")


if __name__ == "__main__":
    kind, port_, more = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    if kind == "constant":
        serve_constant(port_)
    elif kind == "llm":
        serve_llm(port_, float(more))
    else:
        with tempfile.TemporaryDirectory():
            serve_pipeline(port_, Path(more))
