"""The scorer of extraction answers: values of fields held against expected ones, field by field and row by row."""

from tailtune.tasks.extraction.details import calibration, confusions, per_field
from tailtune.tasks.extraction.marking import marked
from tailtune.tasks.extraction.score_rules import Rules
from tailtune.tasks.extraction.scoring import ExtractionScore, score
from tailtune.tasks.extraction.tally import Tally, tally

__all__ = ["ExtractionScore", "Rules", "Tally", "calibration", "confusions", "marked", "per_field", "score", "tally"]
