"""Ask the stronger model for the failing rows, with the prompt that failed; and look at what that prompt showed."""

from __future__ import annotations

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import AskedOutError
from tailtune.core.language import LanguageModel
from tailtune.judge.diagnose import Shown
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.diagnose.failing import Failing
from tailtune.lifecycle.language_models import language_models
from tailtune.predictors.prompted.examples import Coverage, Examples, Nearest
from tailtune.predictors.prompted.rung import Prompted
from tailtune.tasks import saved


def ask_again(context: Context, name: str, failing: Failing) -> None:
    """Fill in what the stronger model says, which examples each prompt showed, and what that cost.

    Where the money ends early, the rows after that are left without an answer.

    Args:
        context: Of the stage.
        name: The rung that failed.
        failing: Its failures; filled in.

    Raises:
        EndpointError: The stronger model's endpoint does not answer.
        TailTuneError: The saved rung cannot be read.
    """
    texts = [row.text for row in failing.rows]
    rung = saved.load(context.paths.stage("prompt") / "rungs" / name)
    assert isinstance(rung, Prompted)  # noqa: S101 - the stage `prompt` saves nothing else
    failing.shown = _shown(rung.examples)
    strong = context.case.spec.prompt.model("strong")
    with language_models(context) as models:
        failing.examples = [[] for _ in texts]
        if failing.shown != "none":
            base = rung.using(models.open(rung.spec), rung.spec)
            failing.examples = [[one.label for one in shown] for shown in base.examples_for(texts)]
        if strong is not None:
            context.progress.say(f"asking {strong.name} again for {len(texts):,} failing rows, with the same prompt")
            _ask(context, rung, models.open(strong), strong, failing)
        failing.usd_spent = models.purse.spent_usd


def _ask(context: Context, rung: Prompted, model: LanguageModel, spec: LanguageModelSpec, failing: Failing) -> None:
    texts, done = [row.text for row in failing.rows], 0

    def told(place: int, reply: object) -> None:
        nonlocal done
        done += 1
        context.progress.at(done, len(texts), f"asking {spec.name} again")

    try:
        asked = dict(enumerate(rung.using(model, spec).asked(texts, on_reply=told)))
    except AskedOutError as out:
        asked = dict(out.asked)
    failing.strong = {place: one.answer for place, one in asked.items()}


def _shown(examples: Examples) -> Shown:
    if isinstance(examples, Nearest):
        return "retrieved"
    return "fixed" if isinstance(examples, Coverage) else "none"
