"""A new classification use case, from a file with one label per row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from tailtune.core.errors import DataError, Fault, UsageError
from tailtune.predictors.prepare.clean import clean
from tailtune.services import sources
from tailtune.tasks.columns import file_notes, refuse_missing
from tailtune.tasks.declare import Declaration, NewUseCase, model_yaml, prompt_texts, quoted, words
from tailtune.tasks.label_check import look_alike_lines

_COLUMN = "label"
RESPELLING = "say which are one in labels.yaml, and remove the other line:  {0}: {{also: [{1}]}}"
_SYSTEM = """\
You sort texts into categories.{about}

Categories:
{{% for label in labels %}}
- {{{{ label.name }}}}{{{{ ": " ~ label.description if label.description else "" }}}}
{{% endfor %}}

Rules:
- Choose the one category that fits the text as a whole, not single words in it.
- If two fit, choose the more specific one; if both are as specific, the one that the text is mainly about.
- If none fits well, choose the nearest. Never invent a category, and never give two.
{rules}
{form}"""
_FORM = '- Reply with one JSON object and nothing else: {"label": "…"}, with a name exactly as in the list.'
_REASONED_FORM = """\
- Reply with one JSON object and nothing else: {"reasoning": "…", "label": "…"}. First, in reasoning, two short
  sentences: what the text is about, and what decides between the categories that come close. Then, in label, a name
  exactly as in the list."""


def declare(new: NewUseCase) -> Declaration:
    """Read the files' labels and write down what the use case is.

    Raises:
        UsageError: A column or file was named that this task has none of.
        DataError: The files cannot be used as they are; every fault with its line.
    """
    options = {"--entities": new.entities, "--fields": new.fields, "--intent": new.intent}
    options["--schema"] = None if new.schema is None else str(new.schema)
    named = [option for option, value in options.items() if value is not None]
    if named:
        raise UsageError(
            f"{', '.join(named)}: a classification has one label a row, named by --label",
            f"tailtune new {new.name} --task extraction …",
        )
    label = new.label or _COLUMN
    refuse_missing(new, "classification", {"text": new.text, "label": label, "group": new.group})
    columns = sources.Columns(new.text, (label,), sources.one_label(label), new.group)
    rejected, test_rejected = Counter[str](), Counter[str]()
    counts = _cleaned(sources.labels_in(new.source, columns, rejected=rejected))
    test_counts = {} if new.test is None else _cleaned(sources.labels_in(new.test, columns, rejected=test_rejected))
    left_out = sources.rejected_rows(rejected)
    _check(counts, test_counts, new.source, new.test, left_out)
    names = sorted(counts | test_counts)
    sections = {
        "curate": ["near_duplicate_similarity: 0.85"],
        "split": ["dev_share: 0.1"],
        "validate": ["min_rows_per_class: 8"],
        "ladder": ["shots: 10", "neighbours: 10"],
        "prompt": [],
        "targets": ["accuracy: 0.95"],
        "value": [],
        "train": ["when: auto"],
        "evaluate": [],
        "register": [],
    }
    return Declaration(
        model_yaml(new, "classification", {"label": label}, sections),
        labels_yaml(names),
        sum(counts.values()) + sum(test_counts.values()),
        len(names),
        [
            f"{len(names)} labels; better descriptions make a better zero-shot rung",
            *file_notes(new, left_out, sources.rejected_rows(test_rejected)),
            *look_alike_lines(counts + Counter(test_counts), "label", RESPELLING),
        ],
    )


def _cleaned(counts: Mapping[str, int]) -> Counter[str]:
    """Label, spelled as `clean` spells texts → rows."""
    cleaned: Counter[str] = Counter()
    for label, rows in counts.items():
        cleaned[clean(label)[0]] += rows
    return cleaned


def _check(
    counts: Mapping[str, int],
    test_counts: Mapping[str, int],
    source: Path,
    test: Path | None,
    left_out: str,
) -> None:
    faults = []
    if len(counts) < 2:
        found = ", ".join(counts) or "none"
        faults.append(Fault(str(source), f"expected at least 2 different labels, found {len(counts)}: {found}"))
        faults += [Fault(str(source), left_out)] if left_out else []
    for label in sorted(set(test_counts) - set(counts)):
        faults.append(Fault(str(test), f"label `{label}` ({test_counts[label]} rows) never occurs in {source.name}"))
    if faults:
        raise DataError(faults[:20], "correct the file, or name another column with --label")


def labels_yaml(labels: list[str]) -> str:
    """The text of a labels.yaml: each label described by its own words."""
    lines = ["# label: what belongs to it, in words. The zero-shot rung reads these; better words, better rung."]
    return "\n".join([*lines, *(f"{quoted(label)}: {quoted(words(label))}" for label in labels)]) + "\n"


def starting_prompts(description: str) -> Mapping[str, str]:
    """Prompts that list the categories: name → text of the file.

    Args:
        description: What the use case is for; may be empty.
    """
    return prompt_texts(_SYSTEM, description, _FORM, _REASONED_FORM)
