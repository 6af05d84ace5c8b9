"""Data Docs that open without a network: an index of ours, and Great Expectations' pages freed of their CDN links.

The library's own index is drawn by scripts from six hosts; without them it is an empty page.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from tailtune.core.reports import ExpectationResult
from tailtune.tasks.base import Expectation

# Scripts and styles from elsewhere, images from elsewhere, and the newsletter's footer.
_FOREIGN = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*https?://[^>]*>|<footer\b.*?</footer>|background: url\('https?://[^)]*\)"
    r"[^;]*;",
    re.DOTALL,
)
_STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1rem 2rem; color: #1d2733; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.05rem; margin-top: 2rem; } a { color: #0b5cad; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid #dfe4ea; padding: .35rem .6rem; }
td, th { text-align: left; vertical-align: top; }
.text-success, .yes { color: #17753a; } .text-danger, .no { color: #b3261e; }
.fa-check-circle::before { content: "✓ "; } .fa-times::before, .fa-exclamation-triangle::before { content: "✗ "; }
.alert, .card { background: #f4f6f8; border-radius: 6px; padding: .6rem 1rem; margin: .6rem 0; }
.collapse { display: block; } .btn-group, [data-toggle=collapse], thead[hidden] { display: none; }
ul { list-style: none; } .sticky .nav li { display: inline-block; }
.breadcrumb { list-style: none; padding: 0; } .breadcrumb li { display: inline; }
.small { color: #5b6773; font-size: .85em; }
</style>"""


def finish(
    folder: Path,
    use_case: str,
    suite: Sequence[Expectation],
    results: Sequence[ExpectationResult],
    grains: Mapping[str, str],
) -> Path:
    """Rewrite the pages in a folder and write the index.

    Args:
        folder: Where Great Expectations wrote its pages.
        use_case: Its name.
        suite: What was expected.
        results: What was found, in the order of the suite.
        grains: Table → its grain.

    Returns:
        The index.
    """
    shutil.rmtree(folder / "static", ignore_errors=True)  # 4 MB of fonts and animations that no page needs
    for page in folder.rglob("*.html"):
        html = _FOREIGN.sub("", page.read_text(encoding="utf-8"))
        page.write_text(html.replace("</head>", f"{_STYLE}</head>", 1), encoding="utf-8")
    index = folder / "index.html"
    index.write_text(_index(folder, use_case, suite, results, grains), encoding="utf-8")
    return index


def _index(
    folder: Path,
    use_case: str,
    suite: Sequence[Expectation],
    results: Sequence[ExpectationResult],
    grains: Mapping[str, str],
) -> str:
    passed = sum(result.passed for result in results)
    title = f"<title>Data Docs: {escape(use_case)}</title>"
    parts = [
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{title}{_STYLE}</head>",
        f"<body><h1>{escape(use_case)}: {passed} of {len(results)} expectations hold</h1>",
    ]
    for table, grain in grains.items():
        lines = [_line(result) for expected, result in zip(suite, results, strict=True) if expected.table == table]
        if not lines:
            continue
        pages = sorted(folder.glob(f"validations/*-{table}/**/*.html"))
        links = "".join(
            f" <a href='{quote(str(page.relative_to(folder)))}'>Great Expectations' page</a>" for page in pages
        )
        parts.append(f"<h2>{table}</h2><p class=small>{escape(grain)}{links}</p>")
        parts.append("<table><tr><th><th>subject<th>expected<th>found</tr>" + "".join(lines) + "</table>")
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _line(result: ExpectationResult) -> str:
    mark = "<td class=yes>✓" if result.passed else "<td class=no>✗"
    more = result.bad_rows - len(result.bad_origins)
    origins = ", ".join(result.bad_origins) + (f" and {more:,} more" if result.bad_origins and more > 0 else "")
    found = escape(result.observed) + (f"<br>{escape(origins)}" if origins else "")
    name = f"{escape(result.meaning)}<br><span class=small>{escape(result.name)}</span>"
    return f"<tr>{mark}<td>{escape(result.subject)}<td>{name}<td>{found}</tr>"
