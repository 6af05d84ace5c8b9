"""The verbs. Each parses, calls and prints; imports that cost time happen inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from tailtune import __version__
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.core.ledger import PURPOSES
from tailtune.core.printable import printable
from tailtune.core.process import INTERRUPTED
from tailtune.lifecycle.table import BY_NAME, STAGES
from tailtune.tasks.table import DEFAULT_TASK

cli = typer.Typer(
    help="Prove whether you need to fine-tune before you pay for it, then run the model's whole life.",
    epilog="What the words mean: docs/glossary.md. Where to begin: README.md.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
UseCaseName = Annotated[str, typer.Argument(metavar="USE-CASE", help="A folder of models/.")]
LIFE, STAGE = "The life of a model", "Single stages, in order"


def app(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; usage errors are printed the way Typer prints them.

    Raises:
        TailTuneError: Whatever the command found wrong.
        KeyboardInterrupt: It was interrupted.
    """
    try:
        cli(args=arguments, prog_name="tailtune")
    except SystemExit as end:
        if end.code == INTERRUPTED:  # Typer ends the process itself, without a word
            raise KeyboardInterrupt from None
        return end.code if isinstance(end.code, int) else 1
    return 0


@cli.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    """Show the version when asked."""
    if version:
        print(f"tailtune {__version__}")
        raise typer.Exit


@cli.command(rich_help_panel=LIFE)
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the use case: lower-case letters, digits, dashes.")
    ],
    source: Annotated[Path, typer.Option("--from", help="CSV, JSONL or Parquet file with labelled rows.")],
    test: Annotated[Path | None, typer.Option(help="File with the test rows; else test is split off by hash.")] = None,
    task: Annotated[
        str, typer.Option(help="What kind of answer a text gets: classification, extraction.")
    ] = DEFAULT_TASK,
    text: Annotated[str, typer.Option(help="Column that holds the text.")] = "text",
    label: Annotated[str | None, typer.Option(help="Classification: column with the label [label].")] = None,
    group: Annotated[str | None, typer.Option(help="Column whose equal values stay in one split.")] = None,
    entities: Annotated[str | None, typer.Option(help="Extraction: column with spans [entities].")] = None,
    fields: Annotated[str | None, typer.Option(help="Extraction: column with field values [fields].")] = None,
    intent: Annotated[str | None, typer.Option(help="Extraction: column with a word for the whole [intent].")] = None,
    schema: Annotated[Path | None, typer.Option(help="Extraction: JSON Schema; without one it is proposed.")] = None,
) -> None:
    """Bring your own data: declare a use case from a file."""
    from tailtune.cli.new import create
    from tailtune.tasks.declare import NewUseCase

    options = NewUseCase(
        name=name,
        source=source,
        test=test,
        text=text,
        label=label,
        group=group,
        entities=entities,
        fields=fields,
        intent=intent,
        schema=schema,
    )
    _show("\n".join(create(Paths.find(), task, options)))
    print(f"Next:  tailtune run {name}")


@cli.command(rich_help_panel=LIFE)
def check(use_case: UseCaseName) -> None:
    """Validate a use case's spec and data; change nothing."""
    from tailtune.cli.check import examine

    for line in examine(Paths.find(), use_case):
        _show(line)
    print(f"Next:  tailtune run {use_case}")


@cli.command(rich_help_panel=LIFE)
def sample(name: Annotated[str, typer.Argument(metavar="NAME", help="support-tickets or insurance-claims.")]) -> None:
    """Write the data of a shipped use case. The bytes are the same on every machine."""
    from tailtune.cli.sample import write_sample

    for line in write_sample(Paths.find(), name):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def run(
    use_case: UseCaseName,
    force: Annotated[bool, typer.Option("--force", help="Run every stage, fresh or not.")] = False,
) -> None:
    """Run the whole life as Prefect flows. What is fresh is not done again."""
    from tailtune.cli.show import print_summary
    from tailtune.config.settings import Settings
    from tailtune.lifecycle.local_server import run_flow
    from tailtune.services.mlflow import connect
    from tailtune.tasks.use_case import load_use_case

    paths = Paths.find()
    connect(Settings().resolved_tracking_uri(paths), load_use_case(paths, use_case))  # before work is done
    code = run_flow(paths, use_case, force)
    print_summary(paths, use_case, stopped=code != 0)
    if code:
        raise typer.Exit(code)


@cli.command(rich_help_panel=LIFE)
def show(use_case: UseCaseName) -> None:
    """Show what is known: rungs, verdict, test, version, bill."""
    from tailtune.cli.show import print_summary
    from tailtune.tasks.use_case import load_use_case

    paths = Paths.find()
    load_use_case(paths, use_case)
    print_summary(paths, use_case)


@cli.command(rich_help_panel=LIFE)
def prompts(use_case: UseCaseName) -> None:
    """Write the starting prompts that are missing. What is there stays."""
    from tailtune.cli.new import write_missing_prompts

    for line in write_missing_prompts(Paths.find(), use_case):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def labels(
    use_case: UseCaseName,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="CSV, JSONL or Parquet file with the columns id (or text), label, who; or proposed classes (YAML).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write: CSV with the rows whose label looks wrong; YAML with --propose."),
    ] = None,
    propose: Annotated[
        bool, typer.Option("--propose", help="Look for classes that nobody has labelled, in what was answered.")
    ] = False,
    days: Annotated[
        int, typer.Option(min=1, max=366, help="With --propose: newest days that are looked at, today included.")
    ] = 28,
    version: Annotated[
        str | None, typer.Option(help="With --propose: alias or number of the version that answered [serve.alias].")
    ] = None,
) -> None:
    """Review labels that look wrong, or classes that are missing. They go to a file, which people fill in."""
    from tailtune.cli import labels as made
    from tailtune.core.errors import UsageError

    if (source is None) == (out is None and not propose):
        raise UsageError(
            "expected one of --out FILE, --propose and --from FILE", f"tailtune labels {use_case} --out review.csv"
        )
    paths = Paths.find()
    if propose:
        lines, then = made.propose_classes(paths, use_case, days, version, out)
    elif source is not None and source.suffix.lower() in (".yaml", ".yml"):
        lines, then = made.accept_classes(paths, use_case, source), f"tailtune retrain {use_case}"
    elif source is not None:
        lines, then = made.take_labels(paths, use_case, source), f"tailtune run {use_case}"
    else:
        assert out is not None  # noqa: S101 - one of the two is there
        lines, then = made.write_suspects(paths, use_case, out), f"tailtune labels {use_case} --from {out}"
    for line in lines:
        _show(line)
    print(f"Next:  {then}")


@cli.command(rich_help_panel=LIFE)
def feedback(
    use_case: UseCaseName,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="CSV, JSONL or Parquet file with the columns request_id (or text), label, who."),
    ] = None,
) -> None:
    """Take in right answers that people gave. They come from a file, or as people sent them to the server."""
    from tailtune.cli.feedback import take_feedback

    for line in take_feedback(Paths.find(), use_case, source):
        _show(line)
    print(f"Next:  tailtune run {use_case}")


@cli.command(rich_help_panel=LIFE)
def serve(
    use_case: UseCaseName,
    host: Annotated[str, typer.Option(help="Address to listen on; other machines need a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes that share the free cores.")] = 1,
    no_token: Annotated[bool, typer.Option("--no-token", help="Let other machines ask without a token.")] = False,
) -> None:
    """Serve the champion over HTTP. What it cannot answer goes on to the declared language model; all is logged."""
    from tailtune.cli.serve import serve_use_case

    serve_use_case(Paths.find(), use_case, host, port, workers, no_token, _show)


token = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Bearer tokens of a use case's clients, kept as hashes."
)
cli.add_typer(token, name="token", rich_help_panel=LIFE)


@token.command("add")
def add_token(use_case: UseCaseName, client: Annotated[str, typer.Argument(help="Name of the client.")]) -> None:
    """Make a token for a client, and show it once. From then on a server that starts asks for one."""
    from tailtune.cli.serve import add_token

    for line in add_token(Paths.find(), use_case, client):
        _show(line)


@token.command("remove")
def remove_token(use_case: UseCaseName, client: Annotated[str, typer.Argument(help="Name of the client.")]) -> None:
    """Let a client's token end."""
    from tailtune.cli.serve import remove_token

    for line in remove_token(Paths.find(), use_case, client):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def predict(
    use_case: UseCaseName,
    source: Annotated[Path, typer.Option("--in", help="CSV, JSONL or Parquet file with a text in each row.")],
    out: Annotated[Path, typer.Option(help="File to write, of the same or another of these kinds.")],
    text_column: Annotated[str | None, typer.Option(help="Column that holds the text [data.text].")] = None,
    version: Annotated[
        str | None, typer.Option(help="Alias or number of the version that answers [serve.alias].")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, max=256, help="Processes that answer [one per core].")] = None,
    prefix: Annotated[
        str, typer.Option(help="Before the names of the columns that are added: answer, confidence.")
    ] = "",
    spreadsheet: Annotated[
        bool,
        typer.Option("--spreadsheet", help="CSV for a spreadsheet: texts that look like a formula get a ' before."),
    ] = False,
    max_usd: Annotated[
        float | None, typer.Option(min=0, help="Hard stop where the version asks an endpoint, US dollars for the file.")
    ] = None,
    log: Annotated[
        bool, typer.Option("--log", help="Put the answers into the prediction log, as a server does, to watch them.")
    ] = False,
) -> None:
    """Answer a file of any size with a registered version. What was cut off goes on."""
    from tailtune.cli import predict as batch

    options = batch.PredictOptions(source, out, text_column, version, processes, prefix, spreadsheet, max_usd, log)
    for line in batch.predict(Paths.find(), use_case, options):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def log(
    use_case: UseCaseName,
    last: Annotated[int, typer.Option(min=0, max=1000, help="Newest answers shown.")] = 10,
) -> None:
    """Show what servers answered. Rows are counted by day, version and route; the last answers follow."""
    from tailtune.cli.log import print_log

    print_log(Paths.find(), use_case, last)


@cli.command(rich_help_panel=LIFE)
def monitor(
    use_case: UseCaseName,
    window: Annotated[
        str, typer.Option(help="Days, UTC: 1d (yesterday), 7d, 2026-11-03, 2026-11-01..2026-11-07, today (so far).")
    ] = "1d",
    version: Annotated[str | None, typer.Option(help="Alias or number of the version [serve.alias].")] = None,
    source: Annotated[
        Path | None, typer.Option("--in", help="CSV, JSONL or Parquet file to look at instead of the log.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="Column of that file with the text [data.text].")] = None,
    expect_none: Annotated[
        bool, typer.Option("--exit-code", help="End with exit code 3 when there is drift, for scripts.")
    ] = False,
) -> None:
    """Look for drift in what a version answered. It says what moved, and what that did to accuracy."""
    from tailtune.cli.monitor import print_look, texts_of
    from tailtune.operations.nightly import LookOptions
    from tailtune.tasks.use_case import load_use_case

    paths = Paths.find()
    case = load_use_case(paths, use_case)
    texts = None if source is None else tuple(texts_of(source, text_column or case.spec.data.text))
    report = print_look(paths, use_case, LookOptions(window, version, texts, "" if source is None else str(source)))
    if expect_none and report.drifted:
        raise typer.Exit(3)


@cli.command(rich_help_panel=LIFE)
def audit(
    use_case: UseCaseName,
    rows: Annotated[int, typer.Option(min=1, max=100_000, help="Rows to draw for a person to label.")] = 50,
    window: Annotated[str, typer.Option(help="Days, UTC: 7d, 2026-11-03, 2026-11-01..2026-11-07, today.")] = "7d",
    version: Annotated[str | None, typer.Option(help="Alias or number of the version [serve.alias].")] = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other rows of the same window.")] = 1,
    out: Annotated[Path | None, typer.Option(help="CSV file to write [audit-USE-CASE-WINDOW.csv].")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="The file as a person filled it in, wholly or in part.")
    ] = None,
) -> None:
    """Draw rows for a person to label, and read the labels. They say how often the model was right."""
    from tailtune.cli import audit as audits

    paths = Paths.find()
    if source is not None:
        lines, then = audits.take_labels(paths, use_case, source), f"tailtune run {use_case}"
    else:
        lines, file = audits.draw_rows(paths, use_case, rows, window, version, seed, out)
        then = f"tailtune audit {use_case} --from {file}"
    for line in lines:
        _show(line)
    print(f"Next:  {then}")


@cli.command(rich_help_panel=LIFE)
def retrain(
    use_case: UseCaseName,
    because: Annotated[
        str, typer.Option(help="What asks for it: schedule, drift, labels; or hand, which always starts.")
    ] = "hand",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say whether it would start (by hand: always), with the figures; do nothing."),
    ] = False,
    push: Annotated[
        bool, typer.Option("--push", help="Only push what earlier retrains could not (retrain.push).")
    ] = False,
) -> None:
    """Make a model anew, where that is worth it. It has a checkout of its own; only what is better is promoted."""
    from tailtune.cli.retrain import push_retrains, retrain_use_case

    paths = Paths.find()
    if push:
        print(f"Next:  {push_retrains(paths, use_case, _show)}")
        return
    then = retrain_use_case(paths, use_case, because, dry_run, _show)
    print(f"Next:  {then}")


@cli.command(rich_help_panel=LIFE)
def up() -> None:
    """Start Prefect, MLflow and a worker on this machine. What prefect.yaml declares is deployed."""
    from tailtune.cli.servers import start

    for line in start(Paths.find()):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def down() -> None:
    """Stop what `tailtune up` started. A run that is at work ends in order."""
    from tailtune.cli.servers import stop

    for line in stop(Paths.find()):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def ui() -> None:
    """Open MLflow on the embedded store, in the foreground. Ctrl-C ends it."""
    from tailtune.config.settings import Settings
    from tailtune.operations.servers import laptop

    laptop.ui(Paths.find(), Settings(), _show)


@cli.command(rich_help_panel=LIFE)
def verdict(
    use_case: UseCaseName,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON, with its evidence.")] = False,
    expect: Annotated[
        str | None, typer.Option(help="End with exit code 3 unless it is this: stay, fine-tune, not-yet.")
    ] = None,
) -> None:
    """Print the verdict of the last run, for scripts and CI."""
    from tailtune.cli.verdict import as_expected, described, verdict_of
    from tailtune.tasks.use_case import load_use_case

    paths = Paths.find()
    load_use_case(paths, use_case)
    found = verdict_of(paths, use_case)
    _show(described(found, as_json))
    if not as_expected(found["verdict"], expect):
        raise typer.Exit(3)


@cli.command("list", rich_help_panel=LIFE)
def list_() -> None:
    """List the use cases of this checkout."""
    from tailtune.cli.show import overview

    for line in overview(Paths.find()):
        _show(line)


@cli.command(rich_help_panel=LIFE)
def reproduce(
    version: Annotated[str, typer.Argument(metavar="USE-CASE@ALIAS", help="e.g. support-tickets@champion")],
) -> None:
    """Make a version again from its data, and compare the metrics."""
    from tailtune.cli.reproduce import reproduce_version

    name, at, alias = version.partition("@")
    if not at or not alias:
        raise UsageError(
            f"{version}: expected USE-CASE@ALIAS or USE-CASE@VERSION", f"tailtune reproduce {name}@champion"
        )
    if not reproduce_version(Paths.find(), name, alias):
        raise typer.Exit(3)


def _show(text: str) -> None:
    """Print what may quote data, stores or servers; at once, also into a file that somebody follows."""
    print(printable(text), flush=True)


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
    help="Show what a model's life cost and brought. `cost add` adds what only people know.",
)
cli.add_typer(cost, name="cost", rich_help_panel=LIFE)


@cost.command("show")
def show_cost(
    use_case: UseCaseName,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON, for machines.")] = False,
) -> None:
    """Show costs and gains by version, and the break-even volume. `show` may be left out."""
    from tailtune.cli.cost import print_bill

    print_bill(Paths.find(), use_case, as_json)


@cost.command("add")
def add_cost(
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
    from tailtune.cli.cost import AddedCost, note_cost

    _show(note_cost(Paths.find(), use_case, AddedCost(purpose, hours, usd, rows, note, on)))
    print(f"Next:  tailtune cost {use_case}")


class _ShowAlways(_ShowFirst):
    """`tailtune alerts` is short for `tailtune alerts show`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the word `show` where there is none."""
        return super().parse_args(ctx, args or ["show"])


alerts = typer.Typer(
    cls=_ShowAlways,
    rich_markup_mode=None,
    help="Show what is alarming about models, and whom it has reached. `alerts test` tries the way.",
)
cli.add_typer(alerts, name="alerts", rich_help_panel=LIFE)


@alerts.command("show")
def show_alerts(
    use_case: Annotated[str | None, typer.Argument(metavar="[USE-CASE]", help="A folder of models/ [all].")] = None,
) -> None:
    """Show trouble, open or over, and messages not sent. `show` may be left out."""
    from tailtune.cli.alerts import print_alerts

    print_alerts(Paths.find(), use_case)


@alerts.command("send")
def send_alerts() -> None:
    """Send the messages that wait; every run of the monitor does it, too."""
    from tailtune.cli.alerts import send_alerts

    for line in send_alerts(Paths.find()):
        _show(line)


@alerts.command("test")
def test_alerts() -> None:
    """Send a sample to every channel, as an alert goes, and say what came back."""
    from tailtune.cli.alerts import try_channels

    for line in try_channels(Paths.find()):
        _show(line)


def _stage_verb(name: str) -> Callable[[str], None]:
    def verb(use_case: UseCaseName) -> None:
        from tailtune.config.settings import Settings
        from tailtune.lifecycle.runner import run_stage
        from tailtune.report.terminal.progress import ConsoleProgress

        settings = Settings()
        with ConsoleProgress(name, BY_NAME[name].summary, settings.progress) as progress:
            run_stage(name, use_case, Paths.find(), settings, progress)

    verb.__doc__ = BY_NAME[name].summary
    return verb


def _prompt(
    use_case: UseCaseName,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would cost; ask nothing.")] = False,
    repeats: Annotated[
        int | None, typer.Option(help="Ask the best prompt this often again, past kept answers; say how they vary.")
    ] = None,
) -> None:
    from tailtune.cli import prompting

    if estimate:
        _show("\n".join(prompting.estimate(Paths.find(), use_case)))
    elif repeats is not None:
        _show("\n".join(prompting.repeat(Paths.find(), use_case, repeats)))
    else:
        _stage_verb("prompt")(use_case)


_prompt.__doc__ = BY_NAME["prompt"].summary
for _stage in STAGES:
    _verb = _prompt if _stage.name == "prompt" else _stage_verb(_stage.name)
    cli.command(_stage.name, rich_help_panel=STAGE)(_verb)
