"""A task is declared, listed and named in one line of each table, and nowhere else asked for by name."""

from __future__ import annotations

import ast

from house.tree import FLOWS, ROOT, SRC, outside, python_files, syntax

from tailtune.core.measures import MEASURES
from tailtune.tasks import saved, table, use_case
from tailtune.training.objective import GOALS


def test_every_table_has_the_tasks_there_are() -> None:
    names = list(table.TASKS)
    assert names == ["classification", "extraction"]
    assert [task.name for task in table.TASKS.values()] == names
    assert list(use_case.TASKS) == list(saved.FINE_TUNES) == list(GOALS) == names


def test_a_task_names_things_that_exist() -> None:
    for name, task in table.TASKS.items():
        assert use_case.TASKS[name].spec.ANSWERS
        assert use_case.TASKS[name].spec.model_fields["targets"].annotation.METRIC in MEASURES  # type: ignore[union-attr]
        assert task.curve_rung in saved.RUNG_KINDS
        assert task.narrow and task.noun and task.model_type


def test_nobody_asks_which_task_it_is() -> None:
    """Comparing with a task's name is how a second task turns into a rewrite at the third."""
    wrong, seen = [], 0
    for path in (*python_files(SRC), *python_files(FLOWS)):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Compare):
                seen += 1
                parts = [part.value for part in (node.left, *node.comparators) if isinstance(part, ast.Constant)]
                if set(parts) & set(table.TASKS):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
            if isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchValue):
                value = node.pattern.value
                if isinstance(value, ast.Constant) and value.value in table.TASKS:
                    wrong.append(f"{path.relative_to(ROOT)}:{value.lineno} case {value.value}")
    assert seen > 200
    assert not wrong, outside(wrong)
