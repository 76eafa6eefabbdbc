"""System checks over the telemetry models: what capture relies on, each mistake named with its model."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.db import models

from telemetry.models import TelemetryEvent, kinds

_PARTS = {"", "guardrail", "metadata"}


@register()
def check_kinds(app_configs: object, **_: object) -> list[CheckMessage]:
    """Check every telemetry model."""
    return [Error(message, id="telemetry.E001") for message in problems(kinds())]


def problems(checked: tuple[type[TelemetryEvent], ...]) -> Iterator[str]:
    """What is wrong with the declarations of ``checked``; each message names the model."""
    taken = Counter(value for model in checked for value in _taken(model))
    for model in checked:
        for value in _taken(model):
            if taken[value] > 1:
                yield f"{model.__name__}: another model takes {value} as well."
        yield from _problems_of(model)


def _taken(model: type[TelemetryEvent]) -> tuple[str, ...]:
    """What no two models may share: the names of events, and the route."""
    return (*model.names, model.route) if model.route else model.names


def _problems_of(model: type[TelemetryEvent]) -> Iterator[str]:
    if not model.names:
        yield f"{model.__name__}: names is empty, so that capture ignores its events."
    base = {field.name for field in TelemetryEvent._meta.get_fields()}
    own = {field.name: field for field in model._meta.concrete_fields if field.name not in base}
    for name in sorted(own.keys() ^ model.sources.keys()):
        yield f"{model.__name__}, column {name}: it needs a field and an entry in sources."
    for name in sorted(own.keys() & model.sources.keys()):
        yield from _column_problems(model, own[name])
    for name in sorted({*model.listed} - own.keys()):
        yield f"{model.__name__}: listed names {name}, which is not one of its own columns."


def _column_problems(model: type[TelemetryEvent], field: "models.Field[Any, Any]") -> Iterator[str]:
    where = f"{model.__name__}, column {field.name}"
    if not isinstance(field, models.TextField) or not field.max_length:
        yield f"{where}: it has to be a TextField with a max_length."
    for path in model.sources[field.name]:
        if path.rpartition(".")[0] not in _PARTS:
            yield f"{where}: {path} has to be a key of the event, of guardrail or of metadata."
