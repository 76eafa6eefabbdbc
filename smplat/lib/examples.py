"""Examples for the OpenAPI document, made from serializers: one story, told by every endpoint.

Tests hold them against the schemas.
"""

from typing import Any

from rest_framework import serializers

AT = "2026-01-22T04:00:00.123456Z"
UUID = "8a3c1d52-7e0f-4a5b-9d57-1c2f6b0a7e94"
_STORY = {
    "action": "attachment.upload",
    "assignmentStrategy": "sticky",
    "conversionCursor": "spring-offer",
    "conversionHref": "https://shop.example/admin/reports?conversionCursor=spring-offer",
    "cursor": "spring-offer",
    "featureFlagKey": "pricing.spring-offer",
    "guardrailStatus": "breached",
    "id": "instagram",
    "lastAction": "attachment.upload",
    "name": "quick_order.abort",
    "nextCursor": f"{AT}~{UUID}",
    "notes": "Delivery fell behind.",
    "orderNumber": "SO-10482",
    "originalId": "evt_1731052800000_a1b2c3",
    "platformSlug": "youtube",
    "productId": "prod_ig_boost",
    "productTitle": "Instagram Momentum",
    "providerId": "provider-viralhub",
    "providerName": "ViralHub",
    "severity": "critical",
    "slug": "spring-offer",
    "source": "storefront",
    "status": "running",
    "variantKey": "variant-b",
    "variantName": "Ten per cent off",
    "workflowAction": "attachment.upload",
}
_LISTS = {"attachments": [{"name": "refunds.png", "url": "https://files.example/refunds.png", "size": 48213}]}
_BY_TYPE: dict[type[serializers.Field[Any, Any, Any, Any]], Any] = {
    serializers.BooleanField: False,
    serializers.DateTimeField: AT,
    serializers.DictField: {"platformSlug": "youtube"},
    serializers.IntegerField: 1,
    serializers.UUIDField: UUID,
}


def story(name: str) -> str:
    """The text that stands in a field of that name; one that the story does not tell of holds its name."""
    return _STORY.get(name, name)


def example_of(field: Any) -> Any:
    """A value of a serializer, or of one of its fields."""
    if isinstance(field, serializers.Serializer):
        return {name: example_of(inner) for name, inner in field.fields.items()}
    if field.field_name in _LISTS:
        return _LISTS[field.field_name]
    if hasattr(field, "child") and not isinstance(field, serializers.DictField):
        return [] if field.max_length == 0 else [example_of(field.child)]
    if isinstance(field, serializers.ChoiceField):
        return next(iter(field.choices))
    for kind, value in _BY_TYPE.items():
        if isinstance(field, kind):
            return value
    return story(str(field.field_name)) if isinstance(field, serializers.CharField) else None
