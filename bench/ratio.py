"""What a benchmark measures."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A measured ratio and its bound.

    Attributes:
        name: what was compared.
        value: the ratio.
        bound: what it has to reach, or to stay under.
        at_least: whether the bound is a lower one.
        detail: the two figures behind the ratio.
    """

    name: str
    value: float
    bound: float
    at_least: bool
    detail: str

    @property
    def is_met(self) -> bool:
        """Whether the ratio keeps its bound."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    @property
    def sign(self) -> str:
        """How the ratio has to stand to its bound."""
        return "≥" if self.at_least else "≤"

    def __str__(self) -> str:
        verdict = "ok" if self.is_met else "MISSED"
        return f"{verdict:7}{self.name}: {self.value:.2f} ({self.sign} {self.bound:g}) [{self.detail}]"
