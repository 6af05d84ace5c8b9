"""When claims arrive: the first half of 2026, mostly in office hours; a new form comes with its last month."""

from datetime import UTC, datetime, timedelta

from ..dice import Dice

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 181
NEW_FORM = datetime(2026, 6, 1, tzinfo=UTC)
WEEKDAY_WEIGHTS = (13, 11, 10, 10, 10, 5, 4)
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 9, 11, 13, 13, 11, 8, 5, 4, 3, 2, 2, 1)


def arrival_times(count: int, dice: Dice) -> list[datetime]:
    """Draws `count` moments in order of time."""
    days = tuple(START + timedelta(days=day) for day in range(DAYS))
    weights = tuple(WEEKDAY_WEIGHTS[day.weekday()] for day in days)
    hours = tuple(range(24))
    return sorted(
        dice.weighted(days, weights) + timedelta(hours=dice.weighted(hours, HOUR_WEIGHTS), seconds=dice.below(3600))
        for _ in range(count)
    )


def stamp(moment: datetime) -> str:
    """Formats a moment as ISO 8601 with Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
