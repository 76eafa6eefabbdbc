"""The parameters of a page's query: those of old links, and those that no page knows."""

from collections.abc import Collection, Mapping

from django.http import HttpRequest, HttpResponseRedirect, QueryDict
from django.urls import reverse

#: What advertising and mail programs add to links.
_TRACKING = frozenset({"gclid", "fbclid", "msclkid", "mc_cid", "mc_eid"})
_MAX_NAMED, _MAX_NAME_LENGTH = 5, 40
_GUARDRAILS = {"guardrailProvider": "providerId", "guardrailPlatform": "platform", "guardrailSeverity": "severity"}
_EXPERIMENTS = {"experimentSlug": "slug", "experimentVariant": "variant"}


def moved(request: HttpRequest) -> HttpResponseRedirect | None:
    """Where a link with parameters of the replaced system leads today; None for other links.

    Experiments are filtered on the onboarding page. A browser takes the fragment of the old link along.
    """
    if request.method == "POST":
        return None
    if not request.GET.keys().isdisjoint(_GUARDRAILS):
        return _redirect(request.path, request.GET, _GUARDRAILS)
    if not request.GET.keys().isdisjoint(_EXPERIMENTS):
        return _redirect(reverse("pages:onboarding"), request.GET, _EXPERIMENTS)
    return None


def _redirect(path: str, given: QueryDict, names: Mapping[str, str]) -> HttpResponseRedirect:
    """To ``path`` with today's names, of which those that are given already count."""
    query = given.copy()
    for old, new in names.items():
        values = query.pop(old, [])
        if values and new not in given:
            query[new] = values[-1]
    return HttpResponseRedirect(f"{path}?{query.urlencode()}")


def ignored(request: HttpRequest, filters: Collection[str], others: Collection[str]) -> str:
    """A sentence on the parameters that the page does not know; empty where it knows all.

    Args:
        request: the request of the page.
        filters: the names by which the page filters, which the sentence lists.
        others: the names of its other parameters.
    """
    unknown = [name for name in request.GET if not (name in filters or name in others or _is_tracking(name))]
    if not unknown:
        return ""
    named = ", ".join(f"“{name[:_MAX_NAME_LENGTH]}”" for name in unknown[:_MAX_NAMED])
    more = f" and {len(unknown) - _MAX_NAMED} more" if len(unknown) > _MAX_NAMED else ""
    plural, verb = ("", "was") if len(unknown) == 1 else ("s", "were")
    return f"Unknown filter{plural} {named}{more} {verb} ignored; this page filters by {', '.join(filters)}."


def _is_tracking(name: str) -> bool:
    return name in _TRACKING or name.startswith("utm_")
