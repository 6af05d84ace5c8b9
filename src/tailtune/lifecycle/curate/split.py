"""Which split a row belongs to: a pure function of the row, so growth and order never move one."""

from __future__ import annotations

import hashlib

from tailtune.config.model import SplitSpec
from tailtune.core.records import Split


def split_of(key: str, spec: SplitSpec, test_given: bool) -> Split:
    """The split of a group.

    Args:
        key: The group's value, or the normal form of a text that is its own group.
        spec: Shares and salt.
        test_given: True when the user gave the test rows; then only train and dev are dealt out.

    Returns:
        The split. Over many keys the shares hold within sampling error; a single large group goes whole.
    """
    point = int.from_bytes(hashlib.sha256(f"{spec.salt}\x1f{key}".encode()).digest()[:8], "big") / 2**64
    # Dev lies first, so that its rows stay dev when the test share changes or a test file arrives.
    if point < spec.dev_share:
        return "dev"
    if not test_given and point < spec.dev_share + spec.test_share:
        return "test"
    return "train"
