"""REST endpoint of the provider automation: what its runs saw."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import AutomationRun as RunAnswer
from reporting.api.answers import Shape
from reporting.api.queries import LimitField, query, read
from reporting.models import AutomationRun
from smplat.lib.access import KeyOrOperator
from smplat.lib.times import iso

_MAX_RUNS = 100
_QUERY = query(limit=LimitField(_MAX_RUNS, 20, "How many runs to return at most."))


class AutomationHistory(Shape):
    """The newest runs."""

    alerts = serializers.ListField(child=RunAnswer(), max_length=_MAX_RUNS)
    replay = serializers.ListField(max_length=0)


class AutomationHistoryView(APIView):
    """Lists the runs of the provider automation alert worker, newest first."""

    permission_classes = (KeyOrOperator,)
    required_permission = "reporting.view_automationrun"

    @extend_schema(
        operation_id="list_automation_runs",
        tags=["Guardrails"],
        summary="List what the provider automation saw",
        parameters=[_QUERY],
        responses=AutomationHistory,
    )
    def get(self, request: Request) -> Response:
        """Return the newest ``limit`` runs. ``replay`` stays empty: this installation replays no orders."""
        runs = AutomationRun.objects.newest(read(_QUERY, request)["limit"])
        alerts = [{"ranAt": iso(run.ran_at), "summary": run.summary, "metadata": run.metadata} for run in runs]
        return Response({"alerts": alerts, "replay": []})
