"""What capture is, whoever serves it: its routes, what they refuse as a whole, and what they answer."""

from dataclasses import dataclass
from typing import Any

from telemetry.bodies import Body, Unstorable
from telemetry.intake import Intake
from telemetry.models import TelemetryEvent, kinds

NDJSON = "application/x-ndjson"
# An empty content type is what a client sends that does not say; text/plain is what navigator.sendBeacon sends.
MEDIA_TYPES = ("application/json", "text/plain", NDJSON, "")


@dataclass(frozen=True)
class Route:
    """One of the public routes.

    Attributes:
        model: the one whose events it takes; None for the general route, which takes and forwards all.
    """

    model: type[TelemetryEvent] | None

    @property
    def path(self) -> str:
        """Its path, without a slash in front."""
        return "api/telemetry" if self.model is None else f"api/telemetry/{self.model.route}"

    @property
    def models(self) -> tuple[type[TelemetryEvent], ...]:
        return kinds() if self.model is None else (self.model,)

    def refusal(self, body: Body, intake: Intake) -> dict[str, list[str]] | None:
        """Why a request is refused as a whole: there is no batch to report a bad event in, or no event for the route.

        Returns:
            The problems by field; None where it is not refused.
        """
        if not body.is_batch and intake.rejected:
            refused = intake.rejected[0]
            return {refused.name: [refused.problem]}
        if self.model is not None and not any(_may_be_of(self.model, event) for event in body.events):
            return {"name": [none_of(self.model)]}
        return None


def routes() -> tuple[Route, ...]:
    """The general route, and those that telemetry models declare."""
    return (Route(None), *(Route(model) for model in kinds() if model.route))


def media_type(content_type: str) -> str:
    """The media type in a Content-Type header; "" without one."""
    return content_type.partition(";")[0].strip().lower()


def summary(intake: Intake) -> dict[str, Any]:
    """What a route answers."""
    return {
        "accepted": intake.accepted,
        "duplicates": intake.duplicates,
        "ignored": intake.ignored,
        "rejected": [{"index": index, "error": str(refused)} for index, refused in intake.rejected.items()],
    }


def none_of(model: type[TelemetryEvent]) -> str:
    """That no event of a request is one of the route's."""
    *others, last = model.names
    return f"No event is {' or '.join(filter(None, [', '.join(others), last]))}."


def _may_be_of(model: type[TelemetryEvent], event: Any) -> bool:
    """Whether ``event`` has a name that ``model`` takes, or cannot be read."""
    if isinstance(event, dict):
        return event.get("name") in model.names
    return isinstance(event, Unstorable)
