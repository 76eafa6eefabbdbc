"""How much of the desk a client may hold at once, and for how long."""

from dataclasses import dataclass


class BusyError(Exception):
    """The client, or all clients together, hold too much already."""


class TooLargeError(Exception):
    """The body is larger than a request may be."""


class TooSlowError(Exception):
    """The body does not arrive in time."""


@dataclass(frozen=True)
class Limits:
    """What is allowed.

    Attributes:
        body_bytes: the largest body that any view takes.
        body_seconds: how long a body may take to arrive.
        grace_seconds: how long it may be slower than ``body_bytes_per_second``.
        body_bytes_per_second: the rate that it must have on average after that.
        stall_seconds: how long a client may take nothing of an answer.
        requests: how many requests all clients together have under way.
        requests_per_address: how many one address has.
        held_bytes: how many bytes of bodies all clients together have in memory.
        held_bytes_per_address: how many one address has.
    """

    body_bytes: int
    body_seconds: float = 10.0
    grace_seconds: float = 3.0
    body_bytes_per_second: int = 1_024
    stall_seconds: float = 60.0
    requests: int = 2_000
    requests_per_address: int = 100
    held_bytes: int = 256 * 1_048_576
    held_bytes_per_address: int = 64 * 1_048_576

    def seconds_left(self, received: int, passed: float) -> float:
        """How long the next part of a body may take.

        Args:
            received: bytes of the body that have arrived.
            passed: seconds since the body was first waited for.
        """
        in_time = self.grace_seconds + (received + 1) / self.body_bytes_per_second
        return min(self.body_seconds, in_time) - passed


class Admissions:
    """Counts what is under way in this process. The event loop alone uses it, so it needs no lock."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._all_requests = self._all_bytes = 0

    def admit(self, address: str) -> "Admission":
        """Let a request in, until its admission is closed.

        Raises:
            BusyError: too many are under way.
        """
        limits = self._limits
        if self._all_requests >= limits.requests or self._requests.get(address, 0) >= limits.requests_per_address:
            raise BusyError
        return Admission(self, address)

    def count(self, address: str, requests: int, size: int) -> None:
        """Add to what an address holds; an address that holds nothing is forgotten."""
        self._all_requests += requests
        self._all_bytes += size
        _add(self._requests, address, requests)
        _add(self._bytes, address, size)

    def has_room(self, address: str, size: int) -> bool:
        """Whether ``size`` more bytes of an address fit into memory."""
        limits = self._limits
        # A body that is allowed at all must fit where nothing else of the address is under way.
        own = max(limits.held_bytes_per_address, limits.body_bytes)
        everyones = max(limits.held_bytes, limits.body_bytes)
        return self._bytes.get(address, 0) + size <= own and self._all_bytes + size <= everyones


def _add(counts: dict[str, int], address: str, change: int) -> None:
    if count := counts.get(address, 0) + change:
        counts[address] = count
    else:
        counts.pop(address, None)


class Admission:
    """One request that is under way; a context manager, at whose end it is not.

    Attributes:
        address: the client's.
    """

    def __init__(self, admissions: Admissions, address: str) -> None:
        self._admissions, self.address, self._size = admissions, address, 0

    def __enter__(self) -> "Admission":
        self._admissions.count(self.address, 1, 0)
        return self

    def __exit__(self, *error: object) -> None:
        self._admissions.count(self.address, -1, -self._size)

    def hold(self, size: int) -> None:
        """Count ``size`` more bytes of the body.

        Raises:
            BusyError: there is no room for them.
        """
        if not self._admissions.has_room(self.address, size):
            raise BusyError
        self._admissions.count(self.address, 0, size)
        self._size += size
