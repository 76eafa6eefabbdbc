"""Whether anything was lost: what was acknowledged, held against what is stored, in the lake and in the warehouse.

Everything here is a function of what was observed, so that each way to lose a row can be shown to be seen.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.faults.checker.history import Attempt, Outcome
from tests.faults.checker.observed import Merged, Observed

_SHOWN = 5


def known(attempts: Iterable[Attempt], feed: str) -> dict[str, Outcome]:
    """What the clients know of each token in the end: one acknowledgement counts, else one unknown outcome."""
    rank = (Outcome.REFUSED, Outcome.UNKNOWN, Outcome.ACKNOWLEDGED)
    best: dict[str, Outcome] = {}
    for attempt in attempts:
        for token in attempt.tokens if attempt.feed == feed else ():
            best[token] = max(best.get(token, Outcome.REFUSED), attempt.outcome, key=rank.index)
    return best


def lost(attempts: Iterable[Attempt], feed: str, observed: Observed) -> set[str]:
    """The tokens that were acknowledged and are not stored."""
    acknowledged = {token for token, outcome in known(attempts, feed).items() if outcome is Outcome.ACKNOWLEDGED}
    return acknowledged - {token for _, token in observed.stored}


def problems(attempts: list[Attempt], observed: Mapping[str, Observed]) -> list[str]:
    """Everything that is not as promised, a sentence each; nothing where all is well."""
    found = []
    for feed, seen in observed.items():
        stored = {key for key, _ in seen.stored}
        sentences = [
            *_of_clients(attempts, feed, seen),
            *_of_the_lake(stored, seen.lake),
            *_difference("the warehouse", stored, seen.warehouse),
            *_of_accounts(seen),
        ]
        if seen.webhook is not None:
            sentences += _shown("rows never reached the webhook", stored - set(seen.webhook))
        found += [f"{feed}: {sentence}" for sentence in sentences]
    return found


def _of_clients(attempts: list[Attempt], feed: str, seen: Observed) -> list[str]:
    outcomes = known(attempts, feed)
    counts = Counter(token for _, token in seen.stored)
    never_asked = {token for token in counts if outcomes.get(token, Outcome.REFUSED) is Outcome.REFUSED}
    return [
        *_shown("rows were acknowledged and are not stored", lost(attempts, feed, seen)),
        *_shown("rows are stored more than once", {token for token, count in counts.items() if count > 1}),
        *_shown("rows are stored that were refused or never sent", never_asked),
    ]


def _of_the_lake(stored: set[str], lake: Merged) -> list[str]:
    return [
        *_difference("the lake", stored, lake.keys),
        *_shown("rows lie twice in one file", lake.doubled),
        *_shown("rows differ between two files", lake.changed),
    ]


def _difference(place: str, stored: set[str], found: list[str]) -> list[str]:
    counts = Counter(found)
    return [
        *_shown(f"rows are stored and not in {place}", stored - set(counts)),
        *_shown(f"rows are in {place} and not stored", set(counts) - stored),
        *_shown(f"rows are in {place} more than once", {key for key, count in counts.items() if count > 1}),
    ]


def _of_accounts(seen: Observed) -> list[str]:
    sentences = [f"the ledger leaves {seen.ledger} over"] if seen.ledger else []
    sentences += [f"parity counts {count} {kind} rows" for kind, count in seen.parity.items() if count]
    for position, last in seen.moves:
        if last is None:
            sentences.append(f"a checkpoint moved to {position} without a file in the lake")
        elif position > last:
            sentences.append(f"a checkpoint moved to {position}, and its file ends at {last}")
    return sentences


def _shown(what: str, tokens: Iterable[str]) -> list[str]:
    sample = sorted(tokens)
    more = ", …" if len(sample) > _SHOWN else ""
    return [f"{len(sample)} {what}: {', '.join(sample[:_SHOWN])}{more}"] if sample else []


def lost_by_feed(attempts: list[Attempt], observed: Mapping[str, Observed]) -> dict[str, set[str]]:
    """The lost tokens of each feed that lost any."""
    losses = {feed: lost(attempts, feed, seen) for feed, seen in observed.items()}
    return {feed: tokens for feed, tokens in losses.items() if tokens}
