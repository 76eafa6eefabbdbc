"""A request as it is made up, sent, cut down and printed."""

import base64
import hashlib
import hmac
import shlex
import time
from dataclasses import dataclass, replace

#: Whom the desk knows: nobody, the holder of a wrong key, the holder of the key, a signed-in superuser.
NOBODY, WRONG_KEY, KEY, OPERATOR = "nobody", "wrong key", "key", "operator"
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Planted:
    """What is put in place before a request, since the request reads it.

    Attributes:
        where: the path of a file, or ``status`` for the status that the newest run of quick orders keeps in its row.
        content: the bytes.
    """

    where: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """A request, but for the headers that depend on the time and on who sends it.

    Attributes:
        route: the name under which it is counted.
        method: the HTTP method.
        path: the path, percent-encoded.
        query: parameters, percent-encoded.
        headers: headers in Latin-1.
        body: the body.
        who: whose credentials it carries.
        is_signed: whether it is signed as a webhook when it is sent; headers of its own win over the signature's.
        is_chunked: whether the body goes in chunks, without its length.
        planted: what it reads, if that has to be put in place.
    """

    route: str
    method: str
    path: str
    query: Pairs = ()
    headers: Pairs = ()
    body: bytes = b""
    who: str = NOBODY
    is_signed: bool = False
    is_chunked: bool = False
    planted: Planted | None = None

    @property
    def target(self) -> str:
        """Path and query as they stand in the request line."""
        query = "&".join(f"{name}={value}" for name, value in self.query)
        return f"{self.path}?{query}" if query else self.path

    def with_header(self, name: str, value: str) -> "Request":
        """The same request with one more header."""
        return replace(self, headers=(*self.headers, (name, value)))

    def with_planted(self, content: bytes) -> "Request":
        """The same request, which reads ``content``."""
        return self if self.planted is None else replace(self, planted=replace(self.planted, content=content))


@dataclass(frozen=True)
class Access:
    """What opens a desk: its key, an operator's session and the secret of its webhooks."""

    api_key: str
    session: str
    csrf_token: str
    webhook_secret: str
    origin: str

    def headers(self, request: Request) -> list[tuple[str, str]]:
        """All headers of ``request``, those that depend on the time as they are now."""
        made = {"X-Forwarded-For": _address(request)}
        if request.who in {KEY, WRONG_KEY}:
            made["X-API-Key"] = self.api_key if request.who == KEY else "a-wrong-key-of-the-fuzzer"
        if request.who == OPERATOR:
            made["Cookie"] = f"sessionid={self.session}; csrftoken={self.csrf_token}"
            made |= {"X-CSRFToken": self.csrf_token, "Referer": f"{self.origin}/"}
        if request.is_signed:
            made |= self._signature(request)
        own = {name.lower() for name, _ in request.headers}
        return [*((name, value) for name, value in made.items() if name.lower() not in own), *request.headers]

    def _signature(self, request: Request) -> dict[str, str]:
        """The headers of the Standard Webhooks scheme, by hand: a library signs no body that is not UTF-8."""
        identifier = f"msg_{hashlib.sha256(request.body).hexdigest()[:32]}"
        now = str(int(time.time()))
        given = {name.lower(): value for name, value in request.headers}
        signed = f"{given.get('webhook-id', identifier)}.{given.get('webhook-timestamp', now)}."
        secret = base64.b64decode(self.webhook_secret.removeprefix("whsec_"))
        digest = hmac.new(secret, signed.encode("latin-1") + request.body, hashlib.sha256).digest()
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": identifier, "webhook-timestamp": now, "webhook-signature": signature}


def _address(request: Request) -> str:
    """A client address, so that limits per address hold for none of the requests."""
    number = hashlib.sha256(repr(request).encode()).digest()
    return f"10.{number[0]}.{number[1]}.{number[2]}"


def curl(request: Request, access: Access) -> str:
    """A request as commands of a shell."""
    lines = []
    if request.planted is not None:
        lines.append(f"printf '{_printf(request.planted.content)}' > {shlex.quote(request.planted.where)}")
    command = ["curl", "-isS", "-X", request.method]
    for name, value in access.headers(request):
        command += ["-H", shlex.quote(f"{name}: {value}" if value else f"{name};")]
    if request.is_chunked:
        command += ["-H", "'Transfer-Encoding: chunked'"]
    if request.body:
        command += ["--data-binary", "@-"]
    command.append(shlex.quote(f"{access.origin}{request.target}"))
    sent = f"printf '{_printf(request.body)}' | " if request.body else ""
    return "\n".join([*lines, sent + " ".join(command)])


def _printf(content: bytes) -> str:
    """Bytes as a format of printf."""
    plain = set(range(0x20, 0x7F)) - set(b"'\\%")
    return "".join(chr(byte) if byte in plain else f"\\{byte:03o}" for byte in content)
