"""What `TAILTUNE_TRACKING_URI` may name, and whether a store answers there; asked before work, without MLflow."""

from __future__ import annotations

import base64
import os
import re
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from contextlib import closing, suppress
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.json_text import parse_json
from tailtune.core.private import private_folder
from tailtune.core.secrets import secret_in, without_password

SQLITE = "sqlite:///"
VARIABLE = "TAILTUNE_TRACKING_URI"
_TIMEOUT_S = 5.0
_LARGEST = 1 << 24  # bytes of an answer
_EMBEDDED = f"unset {VARIABLE} to use the embedded store"
_EXPECTED = "expected http://HOST:PORT of an MLflow server, or sqlite:///FILE"
# Databases that MLflow takes: port, and driver of the scheme without one, as a module and as a package.
_DATABASES = {
    "postgresql": (5432, "psycopg2", "psycopg2-binary"),
    "mysql": (3306, "MySQLdb", "mysqlclient"),
    "mssql": (1433, "pyodbc", "pyodbc"),
}


def is_server(uri: str) -> bool:
    """Whether it is the address of an MLflow server."""
    return uri.startswith(("http://", "https://"))


def embedded_folder(uri: str) -> Path | None:
    """The folder of an embedded store; None for a server."""
    return Path(uri.removeprefix(SQLITE)).parent if uri.startswith(SQLITE) else None


def reach(uri: str) -> None:
    """Ask whether a store can be used, within seconds and without importing MLflow.

    Raises:
        ServiceError: The server or database does not answer or is no MLflow server, or the embedded file is no
            database or not writable.
        UsageError: It is no address of a store, or holds a user or password; MLflow takes these from variables.
    """
    _refuse_secrets(uri)
    parts = _split(uri)
    if is_server(uri):
        _reach_server(uri, parts)
    elif parts.scheme == "sqlite":
        _reach_file(uri)
    elif (kind := parts.scheme.partition("+")[0]) in _DATABASES:
        _reach_database(uri, parts, *_DATABASES[kind])
    elif parts.scheme not in {point.name for point in entry_points(group="mlflow.tracking_store")}:
        raise _no_store(uri, parts)


def ask(uri: str, path: str) -> Any:
    """Get JSON from an MLflow server's interface, with the credentials that MLflow takes from the environment.

    Args:
        uri: The server's address.
        path: What follows `/api/2.0/mlflow/`.

    Raises:
        OSError: The server does not answer, or not with success (`urllib.error.HTTPError`; its reason is the answer).
        ValueError: What it answers is no JSON.
    """
    request = urllib.request.Request(f"{uri.rstrip('/')}/api/2.0/mlflow/{path}")  # noqa: S310 - http(s) only
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    elif token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    https = urllib.request.HTTPSHandler(context=_trusted())
    try:
        with urllib.request.build_opener(https, _NoRedirect).open(request, timeout=_TIMEOUT_S) as answer:
            return parse_json(answer.read(_LARGEST).decode())
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(10_000).decode("utf-8", "replace")
        raise urllib.error.HTTPError(error.url, error.code, text, error.headers, None) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer: MLflow would send what it writes to the first address as a question to the second."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _trusted() -> ssl.SSLContext:
    """Whom MLflow would trust, by the same variables."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("1", "true"):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context
    names = ("MLFLOW_TRACKING_SERVER_CERT_PATH", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    place = next(filter(None, map(os.environ.get, names)), None)
    return ssl.create_default_context(
        cafile=place if place and Path(place).is_file() else None,
        capath=place if place and Path(place).is_dir() else None,
    )


def runs_tables(uri: str | None, pages: str) -> dict[str, str]:
    """Experiment → address of its table of runs in MLflow's UI, in the mode for people who train models.

    Empty for an embedded store, which nobody serves, and where the server does not answer: a link is a help, no need.

    Args:
        uri: Of the tracking server.
        pages: What links begin with, as browsers reach it.
    """
    if uri is None or not is_server(uri):
        return {}
    with suppress(OSError, ValueError, LookupError, TypeError):
        rows = ask(uri, "experiments/search?max_results=1000").get("experiments", ())
        start, mode = f"{pages}/#/experiments", "workflowType=machine_learning"
        return {row["name"]: f"{start}/{row['experiment_id']}?{mode}" for row in rows}
    return {}


def version_page(pages: str, model: str, version: str) -> str:
    """Address of a registered version in MLflow's UI; empty for an embedded store, which has no pages."""
    return f"{pages}/#/models/{quote(model, safe='')}/versions/{version}" if pages else ""


def _refuse_secrets(uri: str) -> None:
    inside = secret_in(uri)
    if not inside or (inside == "a user" and not is_server(uri)):
        return
    raise UsageError(
        f"{VARIABLE}: {without_password(uri)} is given with a user or password in it; expected the bare address",
        "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…, and leave them out of the address"
        if is_server(uri)
        else "leave it out of the address; the database's client takes it from elsewhere, such as ~/.pgpass",
    )


def _split(uri: str) -> SplitResult:
    """The address in pieces.

    Raises:
        UsageError: It is none, or it is that of a page.
    """
    shown = without_password(uri)
    if uri != uri.strip():
        raise UsageError(f"{VARIABLE}={shown!r}: spaces around it; {_EXPECTED}", _correct(uri.strip()))
    try:
        parts = urlsplit(uri)
        nowhere = is_server(uri) and not parts.hostname
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"{VARIABLE}={shown}: no address ({error}); {_EXPECTED}", _correct("")) from None
    if nowhere:
        raise UsageError(f"{VARIABLE}={shown}: no address of a server; {_EXPECTED}", _correct(""))
    if is_server(uri) and (parts.fragment or parts.query or "/api/2.0" in parts.path):
        bare = f"{parts.scheme}://{parts.netloc}{parts.path.partition('/api/2.0')[0].rstrip('/')}"
        raise UsageError(f"{VARIABLE}={shown}: the address of a page; expected the server's own", _correct(bare))
    return parts


def _correct(uri: str) -> str:
    known = is_server(uri) and re.fullmatch(r"https?://[\w.-]+(:\d{1,5})?(/[\w./-]*)?", uri)
    return f"export {VARIABLE}={uri if known else 'http://HOST:PORT'}   (or {_EMBEDDED})"


def _no_store(uri: str, parts: SplitResult) -> UsageError:
    """The refusal of an address that names no store, for its own kind."""
    shown = without_password(uri)
    if re.match(r"[\w.-]+:\d+(/|$)", uri):
        return UsageError(f"{VARIABLE}={shown}: no scheme; {_EXPECTED}", _correct(f"http://{uri}"))
    if parts.scheme.startswith(("databricks", "uc")) or uri in ("databricks", "databricks-uc", "uc"):
        return UsageError(
            f"{VARIABLE}={shown}: Databricks names experiments and models otherwise; {_EXPECTED}", _correct("")
        )
    if parts.scheme in ("", "file"):
        folder = Path(parts.path or uri).expanduser().absolute()
        return UsageError(
            f"{VARIABLE}={shown}: a folder; MLflow keeps runs in files no more; {_EXPECTED}",
            f"export {VARIABLE}={SQLITE}{folder / 'mlflow.db'}   (runs that are there: mlflow migrate-filestore "
            f"--source {folder} --target {SQLITE}{folder / 'mlflow.db'})",
        )
    return UsageError(f"{VARIABLE}={shown}: {parts.scheme}: is no kind of tracking store; {_EXPECTED}", _correct(""))


def _reach_server(uri: str, parts: SplitResult) -> None:
    shown = without_password(uri)
    try:
        answer = ask(uri, "experiments/search?max_results=1")
        if isinstance(answer, dict) and not answer.keys() - {"experiments", "next_page_token"}:
            return
        reason: object = "other JSON than MLflow's"
    except urllib.error.HTTPError as error:
        refusal = _refusal(uri, shown, parts, error)
        if refusal is None:
            return
        raise refusal from None
    except ValueError:
        reason = "what it answers is no JSON"
    except OSError as error:
        raise _silent(uri, shown, getattr(error, "reason", None) or error) from error
    raise ServiceError(f"{shown}: answers, but is no MLflow server ({reason})", _correct(""))


def _refusal(uri: str, shown: str, parts: SplitResult, error: urllib.error.HTTPError) -> ServiceError | None:
    """What an answer without success means; None where MLflow itself may get another one."""
    if error.code in (301, 302, 303, 307, 308):
        there = str(error.headers.get("Location", "")).partition("/api/2.0/")[0]
        return ServiceError(
            f"{shown}: sends on to {there or 'nowhere'}; expected the server's own address", _correct(there)
        )
    if error.code in (401, 403):
        if "MLFLOW_TRACKING_AUTH" in os.environ or error.code == 403:  # credentials that only MLflow can make
            return None
        given = {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_TOKEN"} & os.environ.keys()
        return ServiceError(
            f"{shown}: the MLflow server {'refuses these credentials' if given else 'wants credentials'} (HTTP 401)",
            "export MLFLOW_TRACKING_USERNAME=… MLFLOW_TRACKING_PASSWORD=…   (or MLFLOW_TRACKING_TOKEN=…)",
        )
    if error.code in (404, 405):
        bare = f"{parts.scheme}://{parts.netloc}"
        below = parts.path.strip("/") and _is_mlflow(bare)
        return ServiceError(
            f"{shown}: answers, but no MLflow server is there (HTTP {error.code}); one behind --static-prefix has that "
            "prefix in its address",
            _correct(bare) if below else f"export {VARIABLE}={bare}/PREFIX   (or {_EMBEDDED})",
        )
    return _silent(uri, shown, f"HTTP {error.code}")


def _is_mlflow(uri: str) -> bool:
    try:
        return isinstance(ask(uri, "experiments/search?max_results=1"), dict)
    except (OSError, ValueError):
        return False


def _silent(uri: str, shown: str, reason: object) -> ServiceError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return ServiceError(
            f"{shown}: the MLflow server's certificate is not trusted ({reason.verify_message})",
            "export MLFLOW_TRACKING_SERVER_CERT_PATH=FILE   (the certificate of who signed it)",
        )
    if isinstance(reason, ssl.SSLError):
        return ServiceError(
            f"{shown}: no TLS is spoken there ({reason.reason or reason})", _correct(uri.replace("https:", "http:", 1))
        )
    return ServiceError(
        f"{shown}: the MLflow server does not answer ({reason}); expected one at {VARIABLE}",
        f"make up   (or {_EMBEDDED})",
    )


def _reach_database(uri: str, parts: SplitResult, port: int, driver: str, package: str) -> None:
    """Whether its driver is installed, and whether somebody listens there.

    Limit: whether it lets us in is asked when the first run is written.
    """
    shown, named = without_password(uri), parts.scheme.partition("+")[2]
    module = named or driver
    if find_spec(module) is None:
        raise ServiceError(
            f"{shown}: no driver for this database is installed ({module})",
            f"pip install {named or package}   (or give an MLflow server in front of it: http://HOST:PORT)",
        )
    host = parts.hostname or "localhost"
    try:
        socket.create_connection((host, parts.port or port), timeout=_TIMEOUT_S).close()
    except OSError as error:
        raise ServiceError(
            f"{shown}: no database answers there ({error})", f"start it or correct {VARIABLE}   (or {_EMBEDDED})"
        ) from None


def _reach_file(uri: str) -> None:
    if (
        not uri.startswith(SQLITE)
        or not (name := uri.removeprefix(SQLITE))
        or {"?", "#"} & set(name)
        or name == ":memory:"
    ):
        raise UsageError(
            f"{VARIABLE}={uri}: no file; expected sqlite:///FILE and nothing more, four slashes for an absolute path",
            f"export {VARIABLE}={SQLITE}{Path('mlflow.db').absolute()}   (or {_EMBEDDED})",
        )
    database = Path(name)
    try:
        private_folder(database.parent)
        if database.exists():
            with closing(sqlite3.connect(database, timeout=_TIMEOUT_S)) as connection:
                connection.execute("PRAGMA schema_version")
    except (OSError, sqlite3.Error) as error:
        raise ServiceError(
            f"{database}: the embedded MLflow store cannot be used ({error})",
            f"check the rights on {database.parent}, or move it away to start an empty one",
        ) from error
