"""How much room files take."""

from __future__ import annotations

import os
from pathlib import Path


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, each as long as it reads; 0 when it is not there.

    A link counts as the file it leads to: DVC may keep the bytes of `build/` elsewhere. Files that vanish meanwhile
    are left out.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue
    return total
