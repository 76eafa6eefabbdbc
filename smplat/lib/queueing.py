"""Handing work to the workers, by the name of its task."""

import logging

from celery import signature
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)


def queue_task(name: str, *arguments: str) -> bool:
    """Queue a task; a broker that cannot be reached is logged, and fails nothing.

    Args:
        name: the name under which the task is registered; whoever queues it need not import it.
        arguments: what the task is given.

    Returns:
        Whether the broker took it.
    """
    try:
        signature(name, args=arguments).delay()
    except (OperationalError, OSError) as error:
        logger.warning("%s is not queued, the broker cannot be reached: %s", name, type(error).__name__)
        return False
    return True
