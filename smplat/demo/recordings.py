"""What checkout and operators record in the demo: assignments of pricing experiments, and guardrail follow-ups."""

import uuid
from collections.abc import Iterator
from typing import Any

ORDERS = 48
_NAMESPACE = uuid.UUID("0b7f6c0e-4d1e-5a53-9a55-5d0a4c1f7e21")
_VARIANTS = {
    "spring-offer": ("control", "bundle", "discount"),
    "free-shipping": ("control", "always"),
    "gift-wrap": ("control", "offered"),
}
_STRATEGIES = ("sequential", "feature_flag_demo", None)

FOLLOW_UPS: tuple[dict[str, Any], ...] = (
    {
        "providerId": "provider-instagrowth",
        "providerName": "InstaGrowth EU",
        "action": "escalate",
        "notes": "Delivery is 30 % behind; asked the account manager for a plan by noon.",
        "platformContext": {"id": "instagram", "label": "Instagram DM Concierge", "handle": "@instagrowth"},
    },
    {
        "providerId": "provider-viralhub",
        "providerName": "ViralHub",
        "action": "pause",
        "notes": "Refund rate above the guardrail for two hours.",
        "platformContext": {"id": "youtube", "label": "YouTube Watch-time Lift", "platformType": "YT"},
    },
    {
        "providerId": "provider-instagrowth",
        "providerName": "InstaGrowth EU",
        "action": "resume",
        "notes": "Backlog is cleared.",
    },
)


def assignments() -> Iterator[tuple[str, dict[str, Any]]]:
    """The id of each order with the body that records what it saw: two experiments, in turn."""
    slugs = list(_VARIANTS)
    for number in range(ORDERS):
        seen = (slugs[number % 3], slugs[(number + 1) % 3])
        experiments = [_experiment(slug, number) for slug in seen]
        body = {"orderNumber": f"SM-{1_000 + number}", "experiments": experiments}
        yield str(uuid.uuid5(_NAMESPACE, str(number))), body


def _experiment(slug: str, number: int) -> dict[str, Any]:
    # The squares spread the orders unevenly over the variants, as people do.
    variant = _VARIANTS[slug][number * number % 7 % len(_VARIANTS[slug])]
    return {
        "slug": slug,
        "variantKey": variant,
        "variantName": variant.title(),
        "isControl": variant == "control",
        "status": "paused" if slug == "gift-wrap" and number % 4 == 0 else "running",
        "featureFlagKey": f"pricing_{slug.replace('-', '_')}",
        "assignmentStrategy": _STRATEGIES[number % 3],
    }
