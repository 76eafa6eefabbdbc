"""What schemathesis has to know beyond the schema: values of our formats, and how messages are signed."""

import base64
import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime

import schemathesis
from hypothesis import strategies as st

# The value in fuzzing.toml that stands for a signature.
_UNSIGNED = "to-be-signed"
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_times = st.floats(0, _LATEST - 1).map(lambda at: datetime.fromtimestamp(at, UTC).isoformat())
_events = st.builds(
    lambda identifier, name: json.dumps({"id": str(identifier), "name": name, "workflowAction": "note.update"}),
    st.uuids(),
    st.sampled_from(["quick_order.start", "quick_order.abort", "quick_order.complete"]),
)

schemathesis.openapi.format("date-time", _times)
schemathesis.openapi.format("cursor", _times | st.builds(lambda at, tie: f"{at}~{tie}", _times, st.uuids()))
schemathesis.openapi.format("unix-time", st.just("1769054400"))
schemathesis.openapi.format("json", _events)
schemathesis.openapi.format("ndjson", st.lists(_events, min_size=1, max_size=3).map("\n".join))


@schemathesis.serializer("application/x-ndjson")
def ndjson(ctx, value):
    """Send a text as it is. There is no way to send anything else as one, so that is left out."""
    return value.encode() if isinstance(value, str) else b""


@schemathesis.hook
def before_call(context, case, kwargs):
    """Have the request signed when it is complete."""
    kwargs["auth"] = _sign


def _sign(request):
    """Put a signature where one is asked for, over the headers and the body as they are; a good time becomes now."""
    headers = request.headers
    if headers.get("webhook-signature") != _UNSIGNED:
        return request
    if headers.get("webhook-timestamp", "").isdigit():
        headers["webhook-timestamp"] = str(int(time.time()))
    # By hand, since a library signs no body that is not UTF-8.
    message = f"{headers.get('webhook-id', '')}.{headers.get('webhook-timestamp', '')}.".encode()
    key = base64.b64decode(os.environ["FUZZ_SECRET"].removeprefix("whsec_"))
    signature = base64.b64encode(hmac.new(key, message + (request.body or b""), hashlib.sha256).digest())
    headers["webhook-signature"] = f"v1,{signature.decode()}"
    return request
