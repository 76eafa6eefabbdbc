"""Conditional reads: who has the current content already is told so by a 304, and nothing is made again.

Tags are weak (RFC 9110, section 8.8.1), since compression makes several representations of one content. Of the
preconditions ``If-None-Match`` alone is looked at: the others guard writes, or go by dates that there are none of.
"""

from collections.abc import Callable
from hashlib import sha256

from django.http import HttpRequest, HttpResponseBase, HttpResponseNotModified
from django.utils.http import parse_etags
from rest_framework.request import Request


def answer(request: HttpRequest | Request, facts: str, make: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    """What ``make`` returns, with its tag; or a 304 where the request names the tag.

    Args:
        request: a GET or HEAD of somebody who may see the content.
        facts: what decides the content: equal facts, equal content.
        make: makes the answer.
    """
    tag = f'"{sha256(facts.encode()).hexdigest()[:32]}"'
    known = parse_etags(request.headers.get("If-None-Match", ""))
    response = HttpResponseNotModified() if {"*", tag, f"W/{tag}"} & set(known) else make()
    response.headers["ETag"] = f"W/{tag}"
    return response
