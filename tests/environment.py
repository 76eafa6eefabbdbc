"""The environment of the suite: loaded before Django's settings, as a plug-in of pytest.

One embedded PostgreSQL serves the whole session; the processes of pytest-xdist share it and have a database each.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

API_KEY = "test-key-of-the-storefront"
# Settings of the developer's own instance, which must not reach into the suite.
_PREFIXES = ("SLACK_", "QUICK_ORDER_", "GUARDRAIL_", "PROVIDER_", "ONBOARDING_", "ANALYTICS_", "TELEMETRY_") + (
    "LAKE_URI",
    "REDIS_URL",
    "PUBLIC_BASE_URL",
    "FRONTEND_URL",
    "NEXT_PUBLIC_",
    "AWS_",
    "INGEST_",
    "WAREHOUSE_",
)


def _prepare() -> None:
    for name in [name for name in os.environ if name.startswith(_PREFIXES)]:
        del os.environ[name]
    root = os.environ.get("SMPLAT_TEST_ROOT")
    if root is None:
        root = os.environ["SMPLAT_TEST_ROOT"] = tempfile.mkdtemp(prefix="smplat-test-")
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        from smplat import embedded

        os.environ["DATABASE_URL"] = embedded.start(Path(root))
    os.environ.update(
        VAR_DIR=f"{root}/{os.environ.get('PYTEST_XDIST_WORKER', 'main')}",
        SECRET_KEY="only-for-the-test-suite-0123456789-abcdefghijklmnop",
        CHECKOUT_API_KEY=API_KEY,
        TELEMETRY_THROTTLE="0",
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        # Playwright's sync API runs an event loop in the thread of the test, which then uses the ORM as well.
        DJANGO_ALLOW_ASYNC_UNSAFE="true",
    )


_prepare()
