"""The suite; its folders are those of the source."""

from pathlib import Path

#: The root of the repository, in which commands are run.
ROOT = Path(__file__).resolve().parents[1]
