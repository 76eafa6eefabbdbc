"""Metrics of the exports, for /metrics; read from the database, so that every process gives the same answer."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models import Sum
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from reporting.insights import health
from reporting.models import Beat, Checkpoint, ExportRun
from reporting.models.findings import Kind


class ExportCollector(Collector):
    """Rows exported, the duration of the last run, and the age of the newest exported row, by feed."""

    def collect(self) -> Iterator[Metric]:
        """Read the figures of every feed that has exported something."""
        succeeded = ExportRun.objects.filter(state=ExportRun.State.SUCCEEDED)
        rows = succeeded.values_list("feed").annotate(Sum("rows"))
        yield _gauge("rows", "Rows in the successful runs that retention keeps.", rows)
        newest = ExportRun.objects.newest_success_of_each_feed()
        durations = [(run.feed, run.duration.total_seconds()) for run in newest if run.duration]
        yield _gauge("last_duration_seconds", "Duration of the newest successful run.", durations)
        now = timezone.now()
        ages = [(point.feed, (now - point.cursor).total_seconds()) for point in Checkpoint.objects.all()]
        yield _gauge("newest_row_age_seconds", "Age of the newest exported row.", ages)
        together = list(Beat.objects.together())
        yield GaugeMetricFamily("smplat_schedulers", "Schedulers on the database; one is right.", len(together))
        held = Counter(finding.kind for finding in health.findings())
        findings = GaugeMetricFamily(
            "smplat_findings", "What is wrong with the desk now, by kind; 0 is well.", labels=["kind", "severity"]
        )
        for kind in Kind:
            findings.add_metric([kind.value, kind.nature.severity.value], held[kind])
        yield findings
        lakes = len({beat.lake for beat in together})
        yield GaugeMetricFamily("smplat_lakes", "Lakes that they write to; one is right.", lakes)

    def describe(self) -> list[Metric]:
        """Name nothing in advance, so that registering asks no database."""
        return []


def _gauge(name: str, help_text: str, values: Any) -> Metric:
    gauge = GaugeMetricFamily(f"smplat_export_{name}", help_text, labels=["feed"])
    for feed, value in values:
        gauge.add_metric([feed], value)
    return gauge
