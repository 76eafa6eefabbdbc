"""Who may call the API when nobody has said so."""

from rest_framework.response import Response
from rest_framework.views import APIView

from tests.environment import API_KEY


class Undecided(APIView):
    """A view that names no permission."""

    def get(self, request):
        return Response({})


def test_a_view_that_names_no_permission_lets_nobody_in(rf, admin_user):
    stranger, machine, operator = (rf.get("/", headers=headers) for headers in ({}, {"X-API-Key": API_KEY}, {}))
    operator.user = admin_user

    answers = [Undecided.as_view()(request) for request in (stranger, machine, operator)]

    assert [answer.status_code for answer in answers] == [401, 403, 403]
