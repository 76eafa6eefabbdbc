"""The ASGI application that the web server runs: the front, and Django in threads behind it."""

from django.conf import settings

from smplat.front.limits import Limits
from smplat.front.protocol import Front
from smplat.front.wsgi import Threads
from smplat.wsgi import application as django_application

_THREADS = 16
application = Front(
    Threads(django_application, _THREADS), Limits(settings.DATA_UPLOAD_MAX_MEMORY_SIZE), settings.TRUSTED_PROXIES
)
