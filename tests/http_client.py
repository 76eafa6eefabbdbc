"""Single requests to servers of the tests."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

#: Sends single requests, each on a connection of its own and without cookies. What ``httpx.get`` makes for each call
#: takes 50 ms: it reads the certificates of all authorities.
HTTP = httpx.Client(
    timeout=30,
    limits=httpx.Limits(max_keepalive_connections=0),
    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
)
