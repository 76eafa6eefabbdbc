"""Liveness, readiness and metrics."""

import os
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from reporting.insights import health
from reporting.insights.metrics import ExportCollector
from reporting.models.findings import Severity
from smplat.readiness import READINESS

REGISTRY.register(ExportCollector())


def healthz(request: HttpRequest) -> JsonResponse:
    """Say that the process is alive."""
    return JsonResponse({"status": "alive"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether everything that the desk needs answers; a 503 names what does not.

    With ``?deep=1`` it also says what is wrong with the desk, by kind and feed, and critical findings make it a 503.
    """
    results = READINESS.results()
    body: dict[str, Any] = {name: "ok" if passed else "failed" for name, passed in results.items()}
    is_ready = all(results.values())
    if request.GET.get("deep") == "1" and is_ready:
        found = health.findings()
        body["findings"] = [{"kind": finding.kind, "feed": finding.feed or None} for finding in found]
        is_ready = not any(finding.nature.severity == Severity.CRITICAL for finding in found)
    return JsonResponse({"status": "ready" if is_ready else "not ready"} | body, status=200 if is_ready else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """The metrics in Prometheus' text format."""
    return HttpResponse(generate_latest(_registry()), content_type=CONTENT_TYPE_LATEST)


def _registry() -> CollectorRegistry:
    """The process's own metrics, or those of all web processes where they write them to a shared folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(ExportCollector())
    return registry
