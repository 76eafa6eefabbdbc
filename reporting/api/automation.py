"""REST endpoint of the provider automation: what its runs saw."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api import operations
from reporting.api.parsing import limit_of
from reporting.models import AutomationRun
from smplat.lib.access import KeyOrOperator
from smplat.lib.times import iso

_DEFAULT_LIMIT = 20
_MAX_RUNS = 100


class AutomationHistoryView(APIView):
    """Lists the runs of the provider automation alert worker, newest first."""

    permission_classes = (KeyOrOperator,)
    required_permission = "reporting.view_automationrun"

    @operations.automation_history(_MAX_RUNS, _DEFAULT_LIMIT)
    def get(self, request: Request) -> Response:
        """Return the newest ``limit`` runs. ``replay`` stays empty: this installation replays no orders."""
        runs = AutomationRun.objects.newest(limit_of(request, _MAX_RUNS, _DEFAULT_LIMIT))
        alerts = [{"ranAt": iso(run.ran_at), "summary": run.summary, "metadata": run.metadata} for run in runs]
        return Response({"alerts": alerts, "replay": []})
