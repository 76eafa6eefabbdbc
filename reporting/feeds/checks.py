"""System checks over every feed: a wrong declaration stops `manage.py check` and names feed and column."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.module_loading import import_string

from reporting.feeds import FEEDS, Column, ColumnType, Feed
from smplat.lib.feed_models import FeedModel

_FIELD_TYPES: "dict[ColumnType, tuple[type[models.Field[Any, Any]], ...]]" = {
    ColumnType.UUID: (models.UUIDField, models.OneToOneField, models.ForeignKey),
    ColumnType.TEXT: (models.TextField,),
    ColumnType.BOOLEAN: (models.BooleanField,),
    ColumnType.TIMESTAMP: (models.DateTimeField,),
    ColumnType.JSON: (models.JSONField,),
}


@register()
def check_feeds(app_configs: object, **_: object) -> list[CheckMessage]:
    """Check every feed whose model is installed."""
    found = [message for feed in FEEDS.values() for message in problems(feed)]
    return [Error(message, id="reporting.E001") for message in [*_repeated(), *found]]


def _repeated() -> Iterator[str]:
    """What two feeds may not share."""
    for name in ("rank", "table", "model", "setting_prefix", "checkpoint_name"):
        values = Counter(getattr(feed, name) for feed in FEEDS.values())
        for value in (value for value, count in values.items() if count > 1):
            keys = ", ".join(feed.key for feed in FEEDS.values() if getattr(feed, name) == value)
            yield f"Feeds {keys}: all have the {name} {value}."


def problems(feed: Feed) -> Iterator[str]:
    """What is wrong with the declaration of ``feed``; each message names feed and column."""
    try:
        model = apps.get_model(feed.model)
    except LookupError:
        yield f"Feed {feed.key}: there is no model {feed.model}."
        return
    for column in feed.columns:
        yield from _column_problems(feed, column, model)
    names = {column.name for column in feed.columns}
    for name in {feed.key_column, feed.time_column} - names:
        yield f"Feed {feed.key}: key or time column {name} is not one of its columns."
    for field in feed.wire:
        if not _has_field(model, field.source.split("__")[0]):
            yield f"Feed {feed.key}: wire field {field.path} reads {field.source}, which {feed.model} does not have."
    if not issubclass(model, FeedModel):
        yield f"Feed {feed.key}: {feed.model} does not derive from FeedModel."
    yield from _setting_problems(feed)
    yield from _window_problems(feed) if feed.window is not None else _incremental_problems(feed)


def _setting_problems(feed: Feed) -> Iterator[str]:
    for name in filter(None, (feed.slack_setting, feed.webhook_setting)):
        if not hasattr(settings, name):
            yield f"Feed {feed.key}: there is no setting {name}."
    if feed.webhook_setting and not feed.webhook_key:
        yield f"Feed {feed.key}: webhook_key has to name the list of rows in a message to {feed.webhook_setting}."


def _window_problems(feed: Feed) -> Iterator[str]:
    # With REST framework, which processes that only register this check can do without.
    from telemetry.summaries import Metrics

    if feed.key not in settings.EXPORT_TARGETS:
        yield f"Feed {feed.key}: the settings name no export target for it."
    try:
        is_right = issubclass(import_string(feed.metrics), Metrics)
    except ImportError:
        is_right = False
    if not is_right:
        yield f"Feed {feed.key}: metrics has to be the path of a class of Metrics, not {feed.metrics!r}."


def _incremental_problems(feed: Feed) -> Iterator[str]:
    if feed.key not in settings.CHECKPOINT_URIS:
        yield f"Feed {feed.key}: the settings name no place for the copy of its checkpoint."
    if feed.list_path and not feed.webhook_key:
        yield f"Feed {feed.key}: webhook_key has to name the list of rows in a page of {feed.list_path}."


def _column_problems(feed: Feed, column: Column, model: type[models.Model]) -> Iterator[str]:
    where = f"Feed {feed.key}, column {column.name}"
    if not _has_field(model, column.name):
        yield f"{where}: {feed.model} has no such field."
        return
    field = model._meta.get_field(column.name)
    if not isinstance(field, _FIELD_TYPES[column.type]):
        yield f"{where}: declared {column.type.value}, but the model's field is a {type(field).__name__}."
    if field.null != column.nullable:
        yield f"{where}: declared {'nullable' if column.nullable else 'not nullable'}, but the model's field is not so."
    tops = {wire.path.split(".")[0] for wire in feed.wire}
    for path in column.wire:
        if path.split(".")[0] not in tops:
            yield f"{where}: its wire path {path} is not in the feed's wire shape."


def _has_field(model: type[models.Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
