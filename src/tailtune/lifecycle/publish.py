"""What people see of a registration: the decision page, in the checkout and beside the version's model."""

from __future__ import annotations

from tailtune.core.reports import RegisterReport
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.register.identity import model_files
from tailtune.report.html import page
from tailtune.services import store
from tailtune.services.mlflow import registry


def decision_page(context: Context, report: RegisterReport) -> None:
    """Draw the page from all reports, and store it and the other files beside the version's model.

    Raises:
        ServiceError: The tracking store failed.
    """
    context.progress.at(2, 3, "storing the files beside the model")
    drawn = context.out / context.paths.page.name
    with store.written_whole(drawn) as temporary:
        temporary.write_text(page.render({**context.inputs.reports, "register": report}), encoding="utf-8")
    registry.attach(context.tracker, report.run_id, {**model_files(context), drawn.name: drawn})
