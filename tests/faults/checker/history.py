"""What clients did and were answered, and which faults there were meanwhile."""

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What a client knows of what it has asked to store."""

    ACKNOWLEDGED = "acknowledged"
    #: Certainly not stored: it was answered that it is not, or never sent.
    REFUSED = "refused"
    #: No answer, or one that says that something broke; it may be stored.
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Attempt:
    """One request.

    Attributes:
        feed: the feed of its rows.
        tokens: by what the client knows its rows again.
        outcome: what it knows of them.
        said: the status, or the kind of the failure.
        begun: when it was sent, in seconds since the run began.
        ended: when it was answered or given up.
    """

    feed: str
    tokens: tuple[str, ...]
    outcome: Outcome
    said: str
    begun: float
    ended: float


@dataclass
class Injection:
    """One fault that was injected.

    Attributes:
        fault: its name.
        begun: when it began, in seconds since the run began.
        healed: when it was taken away; for a kill, the time of the kill.
        recovery: the seconds from then until each sign of life; None where it did not come in time.
    """

    fault: str
    begun: float
    healed: float = 0.0
    recovery: dict[str, float | None] = field(default_factory=dict)

    @property
    def recovered(self) -> float:
        """When all signs of life were there again, or the wait for them was over."""
        return self.healed + max((seconds or 0.0 for seconds in self.recovery.values()), default=0.0)


def during(injection: Injection, attempts: list[Attempt]) -> list[Attempt]:
    """The attempts that a fault may have met: those under way between its begin and the recovery."""
    return [
        attempt for attempt in attempts if attempt.ended >= injection.begun and attempt.begun <= injection.recovered
    ]
