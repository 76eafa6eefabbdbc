"""The settings of a newer release, with which its migration is carried out."""

from tests.faults.checker.settings import *  # noqa: F403
from tests.faults.checker.settings import INSTALLED_APPS as _OLD

INSTALLED_APPS = [*_OLD, "tests.faults.checker.newer"]
