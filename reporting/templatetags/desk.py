"""How the operator pages show values of feeds and checkpoints."""

import json
from datetime import datetime
from typing import Any

from django import template

from reporting.feeds import Column
from reporting.shapes import iso

register = template.Library()
_LONGEST_CELL = 120


@register.simple_tag
def cell(row: dict[str, Any], column: Column) -> str:
    """One value of a row as text, cut where it is long; the template escapes it."""
    value = row[column.name]
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return iso(value)
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"


@register.simple_tag
def checkpoint(value: dict[str, Any] | None) -> str:
    """A checkpoint in one line."""
    return f"position {value['position']}, {value['cursor']}" if value else "none"


@register.simple_tag
def pretty_json(value: Any) -> str:
    """JSON with indentation; the template escapes it."""
    return json.dumps(value, indent=2, ensure_ascii=False)
