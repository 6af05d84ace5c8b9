"""A version that answers at once, or when a test lets it, and a server around it without a process or a socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tailtune.services.prediction_log import Spool
from tailtune.serving.app import App
from tailtune.serving.counters import Counters
from tailtune.serving.current import Loaded, Named, Role
from tailtune.serving.gateway import Gateway
from tailtune.serving.inference import Line
from tailtune.serving.plan import ServerPlan
from tailtune.serving.prompted import Connecting
from tailtune.serving.service import Service
from tailtune.serving.spending import DailySpending, ServedBudget
from tailtune.tasks.answerer import Answerer, Prediction


class FakeAnswerer:
    """Answers the last word of a text; `fail` raises, and a text is answered only while the gate is open."""

    def __init__(self, folder: Path = Path("1"), version: str = "1", connect: Any = None) -> None:
        self.version, self.local, self.timeout_s = version, True, None
        self.labels, self.fields = ("billing", "login"), ()
        self.gate = threading.Event()
        self.gate.set()
        self.seen: list[str] = []

    def answer(self, text: str) -> Prediction:
        self.gate.wait(10)
        self.seen.append(text)
        if text.startswith("fail"):
            raise ArithmeticError(text)
        label = (text.split() or ["billing"])[-1]
        return label_of(text, None if label == "nothing" else label)


class FakeExtractor(FakeAnswerer):
    """Answers an object with two fields."""

    def __init__(self) -> None:
        super().__init__()
        self.labels, self.fields = (), ("amount", "who")  # type: ignore[assignment]

    def answer(self, text: str) -> Prediction:
        return object_of(text, {"amount": 3, "who": text})


def label_of(text: str, label: str | None) -> Prediction:
    columns = {"label": label, "confidence": 0.75}
    return Prediction(text, label, 0.75, ((label or "", 0.75),), columns, b"\0\0", 0.5, 4, 0.0)


def object_of(text: str, value: Mapping[str, Any]) -> Prediction:
    columns = {"json": json.dumps(value), "confidence": float("nan"), "confidences": "{}", "reasons": "{}"}
    return Prediction(text, json.dumps(value), None, (("amount", float("nan")),), columns, tokens=4)


@dataclass
class FakeVersions:
    """Roles and who answers in them."""

    loaded: dict[Role, Loaded] = field(default_factory=dict)
    problem: str = ""

    def get(self, role: Role) -> Loaded | None:
        return self.loaded.get(role)

    def put(self, role: Role, version: str, answerer: FakeAnswerer | Answerer, limit: int, threads: int = 1) -> None:
        self.loaded[role] = Loaded(Named(version, version), answerer, Line(answerer.answer, limit, threads))  # type: ignore[arg-type]

    async def look(self) -> None:
        return None

    async def follow(self) -> None:
        return None

    async def close(self) -> None:
        for loaded in self.loaded.values():
            await asyncio.to_thread(loaded.line.close)


@dataclass(frozen=True)
class Answered:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Server:
    """An application that is called as a server calls it."""

    def __init__(self, app: App, counters: Counters, versions: FakeVersions, spool: Path) -> None:
        self.app, self.counters, self.versions, self.spool = app, counters, versions, spool

    async def ask(
        self, path: str, body: Any = None, method: str = "POST", headers: Mapping[str, str] | None = None
    ) -> Answered:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.messages(path, [{"type": "http.request", "body": raw}], method, headers or {})

    async def messages(
        self,
        path: str,
        coming: Sequence[Mapping[str, Any]],
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        left, sent = list(coming), list[Mapping[str, Any]]()

        async def receive() -> Mapping[str, Any]:
            if not left:
                await asyncio.Event().wait()
            return left.pop(0)

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        named = [(name.encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
        await self.app({"type": "http", "method": method, "path": path, "headers": named}, receive, send)
        if not sent:
            return Answered(0, {}, b"")
        back = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answered(sent[0]["status"], back, b"".join(message["body"] for message in sent[1:]))

    def counts(self) -> dict[str, float]:
        """Metric → sum over its labels."""
        return sums_of(self.counters.text().decode())

    def rows(self) -> list[dict[str, Any]]:
        """What stands in the spool."""
        lines = [line for file in sorted(self.spool.glob("*.jsonl")) for line in file.read_text().splitlines()]
        return [record for line in lines for record in json.loads(line)[1:]]


def sums_of(metrics: str) -> dict[str, float]:
    """Metric → sum over its labels, of Prometheus' text."""
    sums: dict[str, float] = {}
    for line in metrics.splitlines():
        if not line.startswith("#"):
            name = line.split("{")[0].split(" ")[0].removeprefix("tailtune_").removesuffix("_total")
            sums[name] = sums.get(name, 0.0) + float(line.rpartition(" ")[2])
    return sums


def check_sums(counts: Mapping[str, float]) -> None:
    """Every text that came in is accounted for, once."""
    assert counts.get("received_rows", 0) == sum(
        counts.get(f"{name}_rows", 0) for name in ("answered", "shed", "failed")
    ), counts
    assert counts.get("answered_rows", 0) == counts["logged_rows"] + counts["not_logged_rows"], counts


@asynccontextmanager
async def server(
    folder: Path, answerer: FakeAnswerer | Path | None = None, challenger: FakeAnswerer | None = None, **declared: Any
) -> AsyncIterator[Server]:
    """A server for a test, whose champion may be the folder of a prompted version."""
    plan = ServerPlan(
        **{"use_case": "inbox", "task": "classification", "state": folder, "spool": folder / "spool"} | declared
    )
    versions, counters = FakeVersions(), Counters(plan.metrics)
    day = None if plan.max_usd_per_day is None else DailySpending(plan.state / "spending.json", plan.max_usd_per_day)
    if isinstance(answerer, FakeAnswerer):
        versions.put("champion", "3", answerer, plan.limits.queue_rows)
    elif answerer is not None:
        connecting = Connecting(plan, ServedBudget(day, counters.paid_for(counters.prompted_usd)))
        versions.put("champion", "3", Answerer(answerer, "3", connecting), plan.limits.queue_rows, threads=4)
    if challenger is not None:
        versions.put("challenger", "4", challenger, plan.limits.queue_rows)
    passing = ServedBudget(day, counters.paid_for(counters.usd))
    gateway = None if plan.upstream is None else Gateway(plan.upstream, passing, plan.limits.passing)
    spool = Spool(plan.spool)
    service = Service(plan, versions, gateway, spool, counters)  # type: ignore[arg-type]

    async def close() -> None:
        return None

    try:
        yield Server(App(plan, service, versions, counters, close), counters, versions, plan.spool)  # type: ignore[arg-type]
    finally:
        if isinstance(answerer, FakeAnswerer):
            answerer.gate.set()
        await versions.close()
        if gateway is not None:
            await gateway.close()
        spool.close()


async def until(true: Callable[[], bool]) -> None:
    """Let other tasks and threads go on until something is so."""
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


def spent(folder: Path) -> float:
    """US dollars of today by a server's file of spending."""
    return DailySpending(folder / "spending.json", 0.0).spent
