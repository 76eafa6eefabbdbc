"""REST endpoints of the ingestion shim, which take the messages of our own webhooks."""

import logging
from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiRequest, extend_schema
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from reporting.api.answers import FeedRow, MessageAccepted
from reporting.api.feed_views import Description, FeedView
from reporting.api.parsing import JsonRenderer
from reporting.api.schemas import message_schema
from reporting.feeds.from_wire import UnmappableError
from reporting.lake.storage import LakeError
from reporting.webhooks import receive
from smplat.lib import signing
from smplat.lib.errors import ConflictError, TooLargeError
from smplat.lib.examples import example_of
from smplat.lib.openapi import Schema, error, example, header

logger = logging.getLogger(__name__)
MAX_BYTES = 1_048_576
_HEADERS = [
    header(
        "webhook-id",
        {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"},
        "The message's id; the same message is kept once.",
        "msg_1f2e",
    ),
    header(
        "webhook-timestamp",
        {"type": "string", "format": "unix-time"},
        "Unix time in seconds, at most 5 minutes off.",
        "1769054400",
    ),
]


class StageAwayError(APIException):
    """The stage cannot be used; the message may be repeated."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The warehouse stage cannot be used at the moment. Nothing is lost if the message is sent again."


class Sender:
    """The user of a request that was signed with a known secret: a machine, without a row in the user table."""

    is_authenticated = True
    is_active = True
    is_staff = False
    pk = None

    def __init__(self, message_id: str) -> None:
        self.message_id = message_id


class SignatureAuthentication(BaseAuthentication):
    """Verifies the signature of a message, by the Standard Webhooks scheme, over the body as it came."""

    def authenticate(self, request: Request) -> tuple[Sender, str]:
        """Return the message's sender; raise AuthenticationFailed where it is not signed, and TooLargeError."""
        secrets = settings.ANALYTICS_WEBHOOK_SECRETS
        if not secrets:
            raise AuthenticationFailed("This endpoint is closed, since ANALYTICS_WEBHOOK_SECRET is not set.")
        try:
            return Sender(signing.verify(_content(request), request.headers, secrets)), "standard-webhooks"
        except signing.SignatureError as error:
            raise AuthenticationFailed(str(error)) from error

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the answer to a stranger a 401."""
        return "StandardWebhooks"


class Signed(BasePermission):
    """Lets in whoever signed the request."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Sender)


class SignatureScheme(OpenApiAuthenticationExtension):
    """The signature of a webhook's message."""

    target_class = SignatureAuthentication
    name = "Signature"

    def get_security_definition(self, auto_schema: Any) -> Schema:
        description = (
            "HMAC-SHA256 by the Standard Webhooks scheme: `v1,` and the base64 of the signature over "
            "`{webhook-id}.{webhook-timestamp}.{body}`, with a secret in `ANALYTICS_WEBHOOK_SECRET`."
        )
        return {"type": "apiKey", "in": "header", "name": "webhook-signature", "description": description}


class IngestView(FeedView):
    """Takes a message of a feed's webhook, and keeps its rows on the warehouse stage."""

    authentication_classes = (SignatureAuthentication,)
    permission_classes = (Signed,)
    renderer_classes = (JsonRenderer,)

    def post(self, request: Request) -> Response:
        """Write the rows in warehouse shape, once per message, and say where."""
        try:
            accepted = receive.accept(self.feed, _message_id(request), _content(request))
        except UnmappableError as error:
            raise ValidationError({error.path: [error.problem]}) from error
        except receive.TooManyRowsError as error:
            raise TooLargeError(str(error)) from error
        except receive.ConflictingContentError as error:
            raise ConflictError(str(error)) from error
        except LakeError as error:
            logger.exception("A message for the stage is not kept")
            raise StageAwayError from error
        answer = {"status": "accepted", "rows": accepted.rows, "object": accepted.key}
        return Response(answer, status=status.HTTP_202_ACCEPTED)

    def describe(self) -> Description:
        key, last = str(self.feed.webhook_key), self.feed.columns[-1].wire[0]
        message = message_schema(self.feed, receive.MAX_ROWS)
        examples = [example({key: [example_of(FeedRow(self.feed))]})]
        return extend_schema(
            operation_id=f"ingest_{self.feed.key}",
            tags=["Ingestion"],
            summary=f"Take a message of our webhook: {self.feed.label}",
            parameters=_HEADERS,
            request={"application/json": OpenApiRequest(message, examples=examples)},
            responses={
                202: MessageAccepted,
                400: error("A bad message.", {f"{key}[3].{last}": ["Must not be null or missing."]}),
                401: error("Not signed, or too old.", "The message is not signed by a secret known here."),
                409: error("Another message had this id.", "Message msg_1f2e was sent before with other rows."),
                503: error("The stage or the database is away.", "The warehouse stage cannot be used."),
            },
        )


def _message_id(request: Request) -> str:
    sender: Any = request.user
    return str(sender.message_id)


def _content(request: Request) -> bytes:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BYTES:
        raise TooLargeError(f"The body is larger than {MAX_BYTES} bytes.")
    return bytes(request._request.body)
