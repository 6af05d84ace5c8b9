"""One table names the tasks, and nothing else asks for one by name."""

from __future__ import annotations

import ast

from house.tree import FLOWS, ROOT, SRC, outside, python_files, syntax

from tailtune.core.measures import MEASURES
from tailtune.tasks.table import TASKS, imported


def test_each_row_of_the_table_leads_to_the_task_of_its_name() -> None:
    assert list(TASKS) == ["classification", "extraction"]
    assert [task.load_class().name for task in TASKS.values()] == list(TASKS)


def test_a_task_names_things_that_exist() -> None:
    for task, kind in ((task, task.load_class()) for task in TASKS.values()):
        assert kind.spec_type.ANSWERS
        assert kind.spec_type.model_fields["targets"].annotation.METRIC in MEASURES  # type: ignore[union-attr]
        assert kind.curve_rung in {rung.name for rung in task.rungs}
        assert kind.narrow and kind.noun and kind.model_type
        assert hasattr(imported(task.codec_where), "from_card")


def test_nobody_asks_which_task_it_is() -> None:
    """Comparing with a task's name is how a second task turns into a rewrite at the third."""
    wrong, seen = [], 0
    for path in (*python_files(SRC), *python_files(FLOWS)):
        for node in ast.walk(syntax(path)):
            if isinstance(node, ast.Compare):
                seen += 1
                parts = [part.value for part in (node.left, *node.comparators) if isinstance(part, ast.Constant)]
                if set(parts) & set(TASKS):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}")
            if isinstance(node, ast.match_case) and isinstance(node.pattern, ast.MatchValue):
                value = node.pattern.value
                if isinstance(value, ast.Constant) and value.value in TASKS:
                    wrong.append(f"{path.relative_to(ROOT)}:{value.lineno} case {value.value}")
    assert seen > 200
    assert not wrong, outside(wrong)
