"""A linear head on frozen vectors; once with the real encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tailtune.tasks import saved
from tailtune.tasks.classification.rungs import ClassifyContext, Probe
from tasks.classification.contract import Check, accuracy, context, keeps, rows


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Probe, tmp_path / "rung")


def test_it_learns_easy_classes() -> None:
    rung = Probe.fit(context())
    assert accuracy(rung) == 1
    assert rung.fit_rows == 24


def test_rungs_on_the_real_encoder_come_back_from_disk(tmp_path: Path) -> None:
    """The last one is loaded without being given an encoder: the embedded one is found."""
    import torch

    from tailtune.predictors.encoder import Encoder

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine two threads are slower than one
    try:
        real = Encoder.load().embed
        train, labels = rows(3), {"billing": "money", "login": "access to an account", "export": "data files"}
        given = ClassifyContext(rows=train, labels=labels, embed=real, shots=3, neighbours=3)
        texts = [row.text for row in train]
        for name in ("zero_shot", "prototypes", "retrieval", "probe"):
            rung = saved.RUNG_KINDS[name].load_class().fit(given)
            answers = rung.answer(texts)
            assert np.mean([a.value == row.label for a, row in zip(answers, train, strict=True)]) >= 0.8, name
            rung.save(tmp_path / name)
            saved.write_card(tmp_path / name, saved.RUNG_KINDS[name], ())
            loaded = saved.load(tmp_path / name, None if name == "probe" else real)
            assert np.allclose(loaded.probabilities(texts), rung.probabilities(texts), atol=1e-4), name
    finally:
        torch.set_num_threads(threads)
