"""The scorer of extraction answers: values of fields held against expected ones, field by field and row by row."""

from tailtune.judge.extraction.details import calibration, confusions, per_field
from tailtune.judge.extraction.marking import marked
from tailtune.judge.extraction.rules import Rules
from tailtune.judge.extraction.score import ExtractionScore, score
from tailtune.judge.extraction.tally import Tally, tally

__all__ = ["ExtractionScore", "Rules", "Tally", "calibration", "confusions", "marked", "per_field", "score", "tally"]
