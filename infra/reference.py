"""Write models/README.md, the field reference, from the specs: `python infra/reference.py`."""

from __future__ import annotations

from pathlib import Path

from tailtune.config.reference import reference

PAGE = Path(__file__).resolve().parents[1] / "models" / "README.md"


def main() -> None:
    """Renew the page and say so."""
    PAGE.write_text(reference(), encoding="utf-8", newline="\n")
    print("models/README.md  written")


if __name__ == "__main__":
    main()
