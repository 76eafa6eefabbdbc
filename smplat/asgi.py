"""The ASGI application that the web server runs: the front, capture in its event loop, and Django in threads behind."""

from smplat.wsgi import application as django_application

# Models can be imported when Django has been set up.
# isort: split
from django.conf import settings

from smplat.front.capture import CaptureDoor
from smplat.front.limits import Limits
from smplat.front.protocol import Front
from smplat.front.wsgi import Threads
from telemetry.writer import Writer

_THREADS = 16
_threads = Threads(django_application, _THREADS)
_limits = Limits(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
_door = CaptureDoor(Writer(), _threads)
application = Front(_threads, _limits, settings.TRUSTED_PROXIES, _door)
#: The public capture routes and what tells of the process, for `python -m smplat capture`.
capture = Front(_threads, _limits, settings.TRUSTED_PROXIES, _door, {*_door.paths, "/healthz", "/readyz", "/metrics"})
