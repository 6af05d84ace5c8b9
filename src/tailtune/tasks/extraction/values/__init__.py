"""Values: read from what a text says, held against their schema, compared, assembled to an object, found in a text.

Pure functions: no clock, file or network. Libraries that read dates, numbers and the like are imported at first use.
"""

from __future__ import annotations

from tailtune.tasks.extraction.values.assemble import Candidate, Chosen, assemble
from tailtune.tasks.extraction.values.checks import SpanFault, from_utf16, span_faults, utf16_detail
from tailtune.tasks.extraction.values.normalise import (
    Normalised,
    canonical,
    conform,
    equal,
    means,
    normalise,
    object_valid,
    valid,
)
from tailtune.tasks.extraction.values.places import Aligned, align
from tailtune.tasks.extraction.values.propose import propose_schema

LATE_IMPORTS = ("dateparser", "jsonschema", "phonenumbers", "price_parser")
"""Libraries that some texts need and others do not; whoever carries an extractor elsewhere takes all of them."""

__all__ = [
    "LATE_IMPORTS",
    "Aligned",
    "Candidate",
    "Chosen",
    "Normalised",
    "SpanFault",
    "align",
    "assemble",
    "canonical",
    "conform",
    "equal",
    "from_utf16",
    "means",
    "normalise",
    "object_valid",
    "propose_schema",
    "span_faults",
    "utf16_detail",
    "valid",
]
