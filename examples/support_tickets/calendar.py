"""When tickets arrive: six months, office hours, and a launch in month five."""

from datetime import UTC, datetime, timedelta

from ..dice import Dice

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 181
LAUNCH = datetime(2026, 5, 4, tzinfo=UTC)
WEEKDAY_WEIGHTS = (12, 11, 10, 10, 9, 3, 2)
HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 8, 12, 14, 14, 12, 9, 11, 13, 13, 11, 8, 5, 4, 3, 2, 2, 1)


def arrival_times(count: int, dice: Dice) -> list[datetime]:
    """Draws `count` moments in order of time; traffic is a fifth higher after the launch."""
    days = tuple(START + timedelta(days=day) for day in range(DAYS))
    day_weights = tuple(WEEKDAY_WEIGHTS[day.weekday()] * (6 if day >= LAUNCH else 5) for day in days)
    hours = tuple(range(24))
    return sorted(
        dice.weighted(days, day_weights) + timedelta(hours=dice.weighted(hours, HOUR_WEIGHTS), seconds=dice.below(3600))
        for _ in range(count)
    )


def launched(moment: datetime) -> bool:
    """Whether the launch has happened."""
    return moment >= LAUNCH


def stamp(moment: datetime) -> str:
    """Formats a moment as ISO 8601 with Z."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
