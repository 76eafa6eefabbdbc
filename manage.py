#!/usr/bin/env python
"""Django's command line; starts the embedded database where no other one is configured."""

import gc
import os
import secrets
import sys

from django.core.exceptions import ImproperlyConfigured

# These reach a SMPLAT installation over HTTP, from hosts that have neither its database nor its secrets.
_OVER_HTTP = ("export_onboarding_pricing_segments_via_api",)


def main() -> None:
    # What is imported stays, and looking it through for garbage again and again is a tenth of the start.
    gc.set_threshold(50_000)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    is_over_http = sys.argv[1:2] and sys.argv[1] in _OVER_HTTP
    if is_over_http:
        os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(60))
    try:
        from smplat import embedded, settings

        if settings.USES_EMBEDDED_DATABASE and not is_over_http:
            embedded.start(settings.VAR_DIR)
    except ImproperlyConfigured as error:
        sys.exit(f"SMPLAT cannot start: {error}")
    for note in settings.NAME_NOTES:
        sys.stderr.write(f"{note}\n")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
