#!/usr/bin/env python
"""Django's command line; starts the embedded database where no other one is configured."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "smplat.settings")
    try:
        from smplat import embedded, settings

        if settings.USES_EMBEDDED_DATABASE:
            embedded.start(settings.VAR_DIR)
    except ImproperlyConfigured as error:
        sys.exit(f"SMPLAT cannot start: {error}")

    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
