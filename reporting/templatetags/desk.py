"""How the operator pages show values of feeds and checkpoints."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.timesince import timesince, timeuntil

from reporting.feeds import Column
from reporting.models import ExportRun, RunLogLine
from reporting.recording.requests import HTTP_URL
from smplat.lib.times import iso

register = template.Library()
_MAX_CELL_LENGTH = 120


@register.simple_tag
def cell(row: dict[str, Any], column: Column) -> str:
    """One value of a row as text, cut where it is long; the template escapes it."""
    text = _text(row, column)
    return text if len(text) <= _MAX_CELL_LENGTH else f"{text[:_MAX_CELL_LENGTH]}…"


@register.simple_tag
def whole(row: dict[str, Any], column: Column) -> str:
    """One value of a row as text, all of it; the template escapes it."""
    return _text(row, column)


@register.simple_tag
def link(row: dict[str, Any], column: Column) -> str:
    """The http(s) address that a column for links holds; nothing for other columns, and for other schemes."""
    value = row[column.name]
    return value if column.name.endswith("_href") and value and re.match(HTTP_URL, value) else ""


@register.simple_tag
def checkpoint(value: dict[str, Any] | None) -> str:
    """A checkpoint in one line."""
    return f"position {value['position']}, {value['cursor']}" if value else "none"


@register.simple_tag
def pretty_json(value: Any) -> str:
    """JSON with indentation; the template escapes it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def attachments(status: dict[str, Any], name: str) -> str:
    """How many attachments a published status counts under ``name``."""
    totals = (status["metrics"] or {}).get("attachmentTotals") or {}
    count = totals.get(name)
    return "unknown" if count is None else str(count)


@register.filter
def ago(moment: datetime) -> str:
    """How long ago a moment was, in words; what lies less than a minute away is just now."""
    distance = timezone.now() - moment
    if abs(distance) < timedelta(minutes=1):
        return "just now"
    return f"{timesince(moment)} ago" if distance > timedelta(0) else f"in {timeuntil(moment)}"


@register.filter
def steps(lines: list[RunLogLine], run: ExportRun) -> Iterator[dict[str, Any]]:
    """The lines of a run's log, each with the seconds since the one before it, or since the run's start."""
    before = run.started_at or run.created_at
    for line in lines:
        yield {"line": line, "seconds": (line.at - before).total_seconds()}
        before = line.at


def _text(row: dict[str, Any], column: Column) -> str:
    value = row[column.name]
    if value is None:
        return column.null_text
    if isinstance(value, datetime):
        return iso(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
