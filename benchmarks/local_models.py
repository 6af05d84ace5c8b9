"""Seconds a row of a local language model that reads what prompts share once, and of transformers' own `generate`.

    python benchmarks/local_models.py [--rows 24] [--together 8] [--banking77 FOLDER] [--folder FOLDER]

Zero-shot prompts of BANKING77 (Casanueva et al. 2020), answers held to its 77 labels. Both ways run in one process, on
the same prompts, and the peer is held by the same grammar, so that it differs in reading alone. Without `--folder` the
embedded model answers. Processor seconds stand beside seconds, as other work on the machine lengthens only the latter.
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.language import Ask
from tailtune.predictors.prompted.embedded import folder_of
from tailtune.predictors.prompted.local.grammar import Constrained, Ways, chooser, grammar_of
from tailtune.predictors.prompted.local.model import LocalModel, load, prompt_ids
from tailtune.predictors.prompted.templates import parsed, render
from tailtune.tasks.classification.replies import LabelCodec

REPO = Path(__file__).resolve().parents[1]
MOST = 64


def asks_of(banking77: Path, rows: int) -> list[Ask]:
    """Zero-shot prompts of test rows spread over the file."""
    with (banking77 / "test.csv").open(encoding="utf-8") as file:
        table = list(csv.reader(file))[1:]
    codec = LabelCodec(dict.fromkeys(sorted({label for _, label in table}), ""))
    prompt = REPO / "models" / "support-tickets" / "prompts" / "zero_shot.md"
    template, _ = parsed("zero_shot", prompt.read_text(encoding="utf-8"), str(prompt))
    texts = [text for text, _ in table[:: len(table) // rows][:rows]]
    return [Ask(tuple(render(template, codec.variables(), (), text)), codec.schema(False)) for text in texts]


def by_generate(folder: Path, asks: Sequence[Ask], together: int) -> Callable[[], list[str]]:
    """Answers of transformers' `generate`, which reads every prompt whole, and one token a pass."""
    import torch
    from llguidance.hf import from_tokenizer
    from transformers import LogitsProcessorList, StoppingCriteriaList

    loaded = load(folder)
    tokens = from_tokenizer(loaded.tokenizer, eos_token=sorted(loaded.ends))
    text, ways = grammar_of(asks[0].schema or {}, tokens).text or "", Ways(tokens)

    def batch(some: Sequence[Ask]) -> list[str]:
        writers = [Constrained(chooser(ask, 0.0), text, tokens, ways, loaded.ends, MOST) for ask in some]
        prompts = [prompt_ids(loaded.tokenizer, ask.messages) for ask in some]
        longest = max(map(len, prompts))

        def steer(_: Any, scores: Any) -> Any:
            chosen = torch.full_like(scores, float("-inf"))
            for row, writer in enumerate(writers):
                chosen[row, 0 if writer.done else writer.take(scores[row].float().numpy())] = 0.0
            return chosen

        with torch.inference_mode():
            loaded.model.generate(
                torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts]),
                attention_mask=torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]),
                do_sample=False,
                max_new_tokens=MOST,
                pad_token_id=0,
                logits_processor=LogitsProcessorList([steer]),
                stopping_criteria=StoppingCriteriaList([lambda *_, **__: torch.tensor([one.done for one in writers])]),
            )
        return [writer.text() for writer in writers]

    return lambda: [text for at in range(0, len(asks), together) for text in batch(asks[at : at + together])]


def timed(name: str, rows: int, answer: Callable[[], list[str]]) -> tuple[list[str], float]:
    """Answers, and processor seconds a row; both kinds of seconds are printed."""
    wall, cpu = time.perf_counter(), time.process_time()
    answers = answer()
    wall, cpu = (time.perf_counter() - wall) / rows, (time.process_time() - cpu) / rows
    print(f"{name:<28} {wall:7.3f} s a row, {cpu:7.3f} processor seconds")
    return answers, cpu


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--together", type=int, default=8)
    parser.add_argument("--banking77", type=Path, default=REPO.parent / "shared" / "datasets" / "banking77")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or folder_of(LanguageModelSpec(name="small", embedded="smollm2"), REPO)
    if folder is None or not folder.is_dir() or not (given.banking77 / "test.csv").is_file():
        print("not measured: it takes BANKING77 (--banking77), and the embedded model or another one (--folder)")
        return
    asks = asks_of(given.banking77, given.rows)
    spec = LanguageModelSpec(name="x", folder=str(folder), concurrency=given.together, max_output_tokens=MOST)
    model = LocalModel(spec, REPO)
    model.count_tokens("")  # reads the weights, as the peer has by then
    ours, fast = timed("shared beginning read once", len(asks), lambda: [reply.text or "" for reply in model.ask(asks)])
    peer, slow = timed("generate of transformers", len(asks), by_generate(folder, asks, given.together))
    same = sum(json.loads(one) == json.loads(other) for one, other in zip(ours, peer, strict=True))
    print(f"{slow / fast:.1f} times the processor time; {same} of {len(asks)} answers are the same")
    print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB, both models together")


if __name__ == "__main__":
    main()
