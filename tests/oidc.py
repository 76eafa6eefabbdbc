"""An OpenID Connect provider on the loopback interface: discovery, authorization, token, keys and user information."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes import serving

CLIENT_ID, CLIENT_SECRET = "the-desk", "a-client-secret-that-nobody-sees"


def new_key() -> rsa.RSAPrivateKey:
    """A key to sign with."""
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


class FakeProvider(ThreadingHTTPServer):
    """Signs in whoever comes as one person, and says of them what it is told to.

    Attributes:
        person: the claims about the person.
        userinfo: what the user information says in place of ``person``, None for the same.
        sign: makes an ID token of its claims.
        changed: what is different in the ID token.
        asked: the paths that were asked for.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.key = new_key()
        self.person: dict[str, Any] = {"sub": "person-1", "email": "ada@example.com", "email_verified": True}
        self.userinfo: dict[str, Any] | None = None
        self.sign: Callable[[dict[str, Any]], str] = lambda claims: self.signed_by(self.key, claims)
        self.changed: dict[str, Any] = {}
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def url(self) -> str:
        """The issuer."""
        return f"http://127.0.0.1:{self.server_port}"

    @staticmethod
    def signed_by(key: rsa.RSAPrivateKey, claims: dict[str, Any]) -> str:
        """An ID token under a key's signature."""
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "1"})

    def discovery(self) -> dict[str, Any]:
        """The document that names everything else."""
        paths = ("authorization", "token", "userinfo")
        return {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **{f"{path}_endpoint": f"{self.url}/{path}" for path in paths},
        }

    def authorize(self, asked: dict[str, str]) -> str:
        """The address that the person is sent back to."""
        code = secrets.token_hex(8)
        self._codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, given: dict[str, str]) -> dict[str, Any] | None:
        """What a code is worth, once, to the client that asked for it and holds its secrets; None otherwise."""
        asked = self._codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = (given.get("client_id"), given.get("client_secret"))
        if asked is None or client != (CLIENT_ID, CLIENT_SECRET) or proof != asked["code_challenge"]:
            return None
        if given["redirect_uri"] != asked["redirect_uri"]:
            return None
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        return {"access_token": "access", "id_token": self.sign({**claims, **self.person, **self.changed})}

    def keys(self) -> dict[str, Any]:
        """The public key."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**key, "kid": "1", "alg": "RS256", "use": "sig"}]}


class _Handler(BaseHTTPRequestHandler):
    server: FakeProvider

    def do_GET(self) -> None:
        url, provider = urlsplit(self.path), self.server
        provider.asked.append(url.path)
        if url.path == "/authorization":
            self.send_response(302)
            self.send_header("Location", provider.authorize(dict(parse_qsl(url.query))))
            self.end_headers()
            return
        answers: dict[str, Callable[[], Any]] = {
            "/.well-known/openid-configuration": provider.discovery,
            "/jwks": provider.keys,
            "/userinfo": lambda: provider.userinfo or provider.person,
        }
        self._answer(answers[url.path]())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append(self.path)
        self._answer(self.server.token(dict(parse_qsl(body))))

    def _answer(self, content: Any) -> None:
        body = json.dumps(content or {"error": "invalid_grant"}).encode()
        self.send_response(200 if content else 400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def fake_provider() -> Iterator[FakeProvider]:
    """A provider for the time of the block."""
    with serving(FakeProvider()) as provider:
        yield provider
