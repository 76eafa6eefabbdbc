"""Objects of the lake, as a load reads them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from reporting.lake.manifests import Receipt
from reporting.warehouse.objects import fetch


def lines(uri: str, receipt: Receipt) -> Iterator[bytes]:
    """The lines of an object whose bytes were held against its receipt."""
    with tempfile.TemporaryDirectory() as folder:
        yield from fetch(uri, receipt, Path(folder)).lines()
