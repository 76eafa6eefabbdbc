"""REST endpoint of the verdict: what is wrong with the desk."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import Shape
from reporting.feeds import feed_choices
from reporting.insights import health
from reporting.models.findings import Kind, Severity
from smplat.lib.access import KeyOrOperator


class FindingAction(Shape):
    """The button that fixes a finding: its label, and the path behind it on this site."""

    label = serializers.CharField()  # type: ignore[assignment]  # the name that a field has for its own label
    url = serializers.CharField()


class FindingAnswer(Shape):
    """One thing that is wrong."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    severity = serializers.ChoiceField(choices=Severity.choices)
    feed = serializers.ChoiceField(choices=feed_choices(), allow_null=True, help_text="Null: the whole desk.")
    since = serializers.DateTimeField(help_text="When it began, or where that is not known, was found.")
    sentence = serializers.CharField()
    action = FindingAction(allow_null=True)


class Findings(Shape):
    """All that is wrong now, worst first; empty where all is well."""

    findings = FindingAnswer(many=True)


class FindingsView(APIView):
    """Tells what is wrong with the desk."""

    permission_classes = (KeyOrOperator,)
    required_permission = "reporting.view_exportrun"

    @extend_schema(
        operation_id="list_findings",
        tags=["Health"],
        summary="List what is wrong now",
        responses=Findings,
    )
    def get(self, request: Request) -> Response:
        """Return what the pages of the desk show on top, worst first."""
        return Response({"findings": [finding.as_json() for finding in health.findings()]})
