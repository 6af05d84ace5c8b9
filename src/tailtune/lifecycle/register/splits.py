"""Whether two versions split rows alike: then no row that one of them learned from is a test row of the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from tailtune.config.model import ModelSpec
from tailtune.lifecycle.context import Context

TAG = "split_digest"

# Keys by which a row goes to another split, or text that tests one version teaches another: what is hashed (the text,
# once scrubbed, or the group), by which shares, and which rows repeat each other. Other keys drop rows or read them
# otherwise, and leave every row where it is.
_MOVING: Mapping[str, tuple[str, ...]] = {
    "data": ("text", "group"),
    "curate": ("near_duplicate_similarity", "scrub_pii"),
    "split": ("dev_share", "test_share", "salt"),
}
# With a test file, its content says which rows test; shares and groups part only the others.
_MOVING_BESIDE_TEST_FILE: Mapping[str, tuple[str, ...]] = {
    "data": ("text",),
    "curate": ("near_duplicate_similarity", "scrub_pii"),
}
# The sections that were digested whole before, with the keys that they had then.
_ONCE: Mapping[str, tuple[str, ...]] = {
    "data": ("file", "test_file", "text", "group", "drop_rejected", "label", "entities", "fields", "intent"),
    "curate": ("min_chars", "max_chars", "near_duplicate_similarity", "scrub_pii"),
    "split": ("dev_share", "test_share", "salt"),
}


def split_digest(context: Context) -> str:
    """Equal exactly when rows go to the same splits."""
    spec, test_file = context.case.spec, context.inputs.provenance.test_file_hash
    moving = _MOVING_BESIDE_TEST_FILE if spec.data.test_file else _MOVING
    return _digest(hashlib.sha256(_canonical(spec, moving).encode()).hexdigest(), test_file)


def splits_alike(context: Context, tags: Mapping[str, str]) -> bool | None:
    """Whether a version with these tags split rows as they are split now; None when it did not say.

    A version of before this digest says how its whole sections read: equal ones split alike.
    """
    then = tags.get(TAG)
    return None if then is None else then in (split_digest(context), _digest_once(context))


def _digest_once(context: Context) -> str:
    canonical = _canonical(context.case.spec, _ONCE)
    return _digest(hashlib.sha256(canonical.encode()).hexdigest()[:16], context.inputs.provenance.test_file_hash)


def _canonical(spec: ModelSpec, keys: Mapping[str, tuple[str, ...]]) -> str:
    values = {
        name: {key: spec.section(name)[key] for key in of if key in spec.section(name)} for name, of in keys.items()
    }
    return json.dumps(values, sort_keys=True)


def _digest(sections: str, test_file: str) -> str:
    return hashlib.sha256(f"{sections}\x1f{test_file}".encode()).hexdigest()[:16]
