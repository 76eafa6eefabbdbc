"""Whom a request comes from, as far as it is counted what they do."""

from functools import lru_cache
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
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return address_of(request.META.get("REMOTE_ADDR", ""), forwarded, settings.TRUSTED_PROXIES)


def address_of(peer: str, forwarded: str, trusted_proxies: int) -> str:
    """The same of a request that is not Django's.

    Args:
        peer: the address that the connection comes from.
        forwarded: the value of X-Forwarded-For, "" without one.
        trusted_proxies: how many proxies each add an entry to it.
    """
    entries = forwarded.split(",")
    seen = entries[-min(trusted_proxies, len(entries))] if trusted_proxies else ""
    return _network(seen.strip()) or _network(peer)


@lru_cache(maxsize=4_096)
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
