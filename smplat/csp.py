"""The Content-Security-Policy of every answer: what its page may load, run and send."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from typing import Any

from csp.constants import HEADER, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from csp.utils import build_policy
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse

Directives = dict[str, list[str]]

# Of everything that is no page: JSON, NDJSON, CSV, metrics.
_DATA: Directives = {"default-src": [NONE], "frame-ancestors": [NONE]}
_ERROR_PAGE: Directives = {
    **_DATA,
    "style-src": [SELF],
    "img-src": [SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
}
_PAGE: Directives = {
    "default-src": [SELF],
    "object-src": [NONE],
    "base-uri": [SELF],
    "frame-ancestors": [NONE],
    "form-action": [SELF],
    "img-src": [SELF, "data:"],
    "connect-src": [SELF],
}
# The theme's Alpine.js makes functions of the expressions in its attributes.
_THEME_SCRIPTS = [SELF, UNSAFE_EVAL]
_DESK_PATHS = re.compile(r"/admin/(reports|onboarding)(/|$)")
_INLINE_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)


class PolicyMiddleware(CSPMiddleware):
    """Sends the policy that fits the path and the type of the answer."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Add the policy; that of data is always the same, and capture answers thousands of times a second."""
        if _is_page(response):
            return super().process_response(request, response)
        response.headers.setdefault(HEADER, _data_policy())
        return response

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        """The policy of ``response``; none that only reports."""
        return PolicyParts(None if report_only else dict(_policy(request, response)))


def _is_page(response: HttpResponseBase) -> bool:
    return response.headers.get("Content-Type", "").startswith("text/html")


@cache
def _data_policy() -> str:
    return build_policy(config=dict(_DATA))


def _policy(request: HttpRequest, response: HttpResponseBase) -> Directives:
    if request.path == reverse("docs"):
        return {**_PAGE, "style-src": [SELF, *_docs_styles()]}
    if not request.path.startswith("/admin/"):
        return _ERROR_PAGE
    desk = {**_PAGE, "script-src": _THEME_SCRIPTS, "style-src": [SELF, *_theme_styles()]}
    # The theme sizes the bar of a list's actions, and Django's calendar its box, by attributes.
    return desk if _DESK_PATHS.match(request.path) else {**desk, "style-src-attr": [UNSAFE_INLINE]}


@cache
def _theme_styles() -> list[str]:
    """Hashes of the theme's own style element: its palette, which is the same on every page."""
    request = HttpRequest()
    request.user, request.META = AnonymousUser(), {"SCRIPT_NAME": ""}
    return _style_hashes("unfold/layouts/skeleton.html", admin.site.each_context(request))


@cache
def _docs_styles() -> list[str]:
    """Hashes of the style element of the API's documentation."""
    return _style_hashes("drf_spectacular/swagger_ui.html", {"script_url": "?script="})


def _style_hashes(template: str, context: dict[str, Any]) -> list[str]:
    digests = (sha256(style.encode()).digest() for style in _INLINE_STYLE.findall(render_to_string(template, context)))
    return [f"'sha256-{b64encode(digest).decode()}'" for digest in digests]
