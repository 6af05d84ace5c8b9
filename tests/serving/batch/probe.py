"""A probe on a tiny exported encoder, saved as a version is; and who answers with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tasks.classification import contract
from worlds.once import once

from tailtune.predictors.bert import load_bert
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.onnx_graph import Source, export
from tailtune.predictors.reading import ENCODER
from tailtune.tasks import saved
from tailtune.tasks.classification.rungs import ClassifyContext


def saved_probe(factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """A probe for texts of three kinds, with its encoder. Read only."""
    return once(factory, "probe", lambda folder: _write(folder, tiny_encoder))


def _write(folder: Path, tiny_encoder: Path) -> None:
    kind = saved.RUNG_KINDS["probe"]
    folder.mkdir(parents=True)
    export(Source(load_bert(tiny_encoder, torch.float32), tiny_encoder), folder / ENCODER, "int8")
    embed = Encoder.load(folder / ENCODER).embed
    fitting = ClassifyContext(rows=contract.rows(), labels=contract.LABELS, embed=embed, shots=4, neighbours=3)
    kind.load_class().fit(fitting).save(folder)
    saved.write_card(folder, kind, ("email",))


def texts(rows: int) -> list[str]:
    """So many texts, no two alike."""
    words = [word for text in contract.WORDS.values() for word in text.split()]
    return [f"{words[n % 15]} {words[n * 7 % 15]} please, number {n}" for n in range(rows)]
