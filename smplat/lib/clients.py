"""Whom a request comes from, as far as failures of theirs are counted."""

from ipaddress import IPv4Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest

# One household has a network of this size, and all of its addresses.
_IPV6_PREFIX_BITS = 64


def address(request: HttpRequest) -> str:
    """The client's address: of IPv6 its network; behind trusted proxies what the outermost of them has seen.

    Returns:
        The address, and "" where there is none, as in a request that a test has made.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    proxies: int = settings.TRUSTED_PROXIES
    seen = forwarded[-min(proxies, len(forwarded))] if proxies else ""
    return _network(seen.strip()) or _network(request.META.get("REMOTE_ADDR", ""))


def _network(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        return ""
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), _IPV6_PREFIX_BITS), strict=False).network_address)
