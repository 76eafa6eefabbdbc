"""What schemathesis has to know beyond the schema: values of our formats, and how messages are signed."""

import json
import time
from datetime import datetime

import schemathesis
from hypothesis import strategies as st

_UNSIGNED = "to-be-signed"
_times = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)).map(lambda at: f"{at.isoformat()}Z")
_events = st.builds(
    lambda identifier, name: json.dumps({"id": str(identifier), "name": name, "workflowAction": "note.update"}),
    st.uuids(),
    st.sampled_from(["quick_order.start", "quick_order.abort", "quick_order.complete"]),
)

schemathesis.openapi.format("date-time", _times)
schemathesis.openapi.format("cursor", _times | st.builds(lambda at, tie: f"{at}~{tie}", _times, st.uuids()))
schemathesis.openapi.format("unix-time", st.just(str(int(time.time()))))
schemathesis.openapi.format("json", _events)
schemathesis.openapi.format("ndjson", st.lists(_events, min_size=1, max_size=3).map("\n".join))


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sign a message where the request says so."""
    kwargs["auth"] = _sign


def _sign(request):
    headers = request.headers
    if headers.get("webhook-signature") == _UNSIGNED and {"webhook-id", "webhook-timestamp"} <= headers.keys():
        print(headers, request.body)
    return request
