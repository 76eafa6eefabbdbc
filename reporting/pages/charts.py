"""Geometry of the desk's charts, which templates draw as SVG.

Charts are drawn on the server: they need no script, follow the theme by style sheet, and take their place before
anything is loaded. Lengths are in units of the drawing; y grows downwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TOP, _BASE = 20.0, 150.0
_HEIGHT = _BASE - _TOP


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: its series, its box, and what it stands for."""

    series: str
    x: float
    y: float
    width: float
    height: float
    value: float

    @property
    def middle(self) -> float:
        """The x of its middle."""
        return self.x + self.width / 2

    @property
    def label_y(self) -> float:
        """The y of the figure above it."""
        return self.y - 5


@dataclass(frozen=True)
class Group:
    """Bars that stand together above a label."""

    label: str
    middle: float
    bars: list[Bar]


@dataclass(frozen=True)
class BarChart:
    """A chart of groups of bars.

    Attributes:
        width: the width of the drawing.
        base: the y of the base line.
        groups: the groups, from left to right.
    """

    width: float
    base: float
    groups: list[Group]


def grouped_bars(data: Mapping[str, Mapping[str, float]], width: float = 480.0) -> BarChart:
    """Bars side by side.

    Args:
        data: by the label of each group the values of its series.
        width: the width of the drawing.
    """
    max_value = max((value for series in data.values() for value in series.values()), default=0) or 1
    pitch = width / max(len(data), 1)
    groups = []
    for number, (label, series) in enumerate(data.items()):
        bar_width = pitch * 0.7 / max(len(series), 1)
        left = number * pitch + pitch * 0.15
        bars = [
            _bar(name, left + index * bar_width, bar_width * 0.92, value, max_value)
            for index, (name, value) in enumerate(series.items())
        ]
        groups.append(Group(label, number * pitch + pitch / 2, bars))
    return BarChart(width, _BASE, groups)


def stacked_bars(data: Mapping[str, Mapping[str, float]], width: float = 480.0) -> BarChart:
    """Bars on top of each other, one stack a group; arguments as in :func:`grouped_bars`."""
    max_value = max((sum(series.values()) for series in data.values()), default=0) or 1
    pitch = width / max(len(data), 1)
    groups = []
    for number, (label, series) in enumerate(data.items()):
        bars: list[Bar] = []
        top = _BASE
        for name, value in series.items():
            bar = _bar(name, number * pitch + pitch * 0.2, pitch * 0.6, value, max_value, top)
            top = bar.y
            bars.append(bar)
        groups.append(Group(label, number * pitch + pitch / 2, bars))
    return BarChart(width, _BASE, groups)


def _bar(series: str, x: float, width: float, value: float, max_value: float, base: float = _BASE) -> Bar:
    height = round(_HEIGHT * value / max_value, 2)
    return Bar(series, round(x, 2), round(base - height, 2), round(width, 2), height, value)


@dataclass(frozen=True)
class Sparkline:
    """A line through values over time.

    Attributes:
        points: the line, as SVG's ``points`` attribute takes it.
        dots: x, y and whether the value is above the limit, for each value.
        limit_y: the y of the limit.
    """

    points: str
    dots: list[tuple[float, float, bool]]
    limit_y: float


def sparkline(values: Sequence[float], limit: float, width: float = 480.0, height: float = 60.0) -> Sparkline:
    """A line through ``values``, from left to right, and the line of ``limit``."""
    max_value = max([*values, 2 * limit])
    step = width / max(len(values), 1)
    dots = [
        (round((number + 0.5) * step, 2), round(_y(value, max_value, height), 2), value > limit)
        for number, value in enumerate(values)
    ]
    return Sparkline(" ".join(f"{x},{y}" for x, y, _ in dots), dots, round(_y(limit, max_value, height), 2))


def trend(values: Sequence[int], width: float = 112.0, height: float = 24.0) -> str:
    """The points of a small line through ``values``, as SVG's ``points`` attribute takes them."""
    max_value, step = max(values, default=0) or 1, width / max(len(values), 1)
    return " ".join(
        f"{round((number + 0.5) * step, 2)},{round(height - 2 - (height - 4) * value / max_value, 2)}"
        for number, value in enumerate(values)
    )


def small_bars(values: Sequence[int], max_value: int, height: float = 24.0, pitch: float = 8.0) -> list[Bar]:
    """Small bars of one series, as high as their share of ``max_value``; a value that is not 0 can be seen."""
    heights = [round(max(height * value / (max_value or 1), 2.0 if value else 0.0), 2) for value in values]
    return [
        Bar("", number * pitch, round(height - high, 2), pitch - 2, high, value)
        for number, (value, high) in enumerate(zip(values, heights, strict=True))
    ]


def _y(value: float, max_value: float, height: float) -> float:
    margin = 5.0
    return height - margin - (height - 2 * margin) * value / max_value
