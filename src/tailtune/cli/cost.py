"""`tailtune cost`: the whole life's bill, and what people add to it."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tailtune.config.paths import Paths
from tailtune.core.ledger import PURPOSES


class _ShowFirst(TyperGroup):
    """`tailtune cost NAME` is short for `tailtune cost show NAME`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word `show` before what names no command."""
        first = next((word for word in args if not word.startswith("-")), None)
        if first is not None and first not in self.commands:
            args = ["show", *args]
        return super().parse_args(ctx, args)


cost = typer.Typer(
    cls=_ShowFirst,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Show what a model's life cost and brought; `cost add` adds what only people know.",
)
UseCaseName = Annotated[str, typer.Argument(metavar="USE-CASE", help="A folder of models/.")]


@cost.command()
def show(
    use_case: UseCaseName,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON, for machines.")] = False,
) -> None:
    """Each version's cost and gain, all candidates in dollars, the break-even volume; `show` may be left out."""
    from tailtune.cli.bill import print_bill

    print_bill(Paths.find(), use_case, as_json)


@cost.command()
def add(
    use_case: UseCaseName,
    purpose: Annotated[str, typer.Option("--for", metavar="WHAT", help=f"One of {', '.join(PURPOSES)}.")],
    hours: Annotated[float | None, typer.Option(help="A person's hours.")] = None,
    usd: Annotated[float | None, typer.Option(help="US dollars paid.")] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            help="Rows labelled: what is entered with them stands in place of rows × label price. Without --rows, "
            "hours and dollars for labelling come on top."
        ),
    ] = None,
    note: Annotated[str, typer.Option(help="What it was.")] = "",
    on: Annotated[str, typer.Option(metavar="DATE", help="When it was, e.g. 2026-11-20 [now].")] = "",
) -> None:
    """Add what only people know: hours, money, labelled rows, the day of a complaint."""
    from tailtune.cli.bill import AddedCost, add_cost

    print(add_cost(Paths.find(), use_case, AddedCost(purpose, hours, usd, rows, note, on)))
    print(f"Next:  tailtune cost {use_case}")
