"""The service with its page, from settings to the end."""

import sys
import threading
from types import TracebackType

from dist_vad.base.log import log
from dist_vad.settings.watch import WatchSettings
from dist_vad.watch.judges import judges_of
from dist_vad.watch.service import Service
from dist_vad.watch.web import Page

SWITCH = 0.0005
"""Seconds after which a thread that waits for the interpreter gets it. With Python's own 0.005 the thread that scores
waits longer: it asks anew after each operation of its network."""


def watch(settings: WatchSettings, states: dict[str, str]) -> None:
    """Watch until SIGTERM or SIGINT comes.

    Args:
        states: camera -> folder of the state that scores it.
    """
    hide_secrets_in_tracebacks()
    sys.setswitchinterval(SWITCH)
    service = Service(settings, judges_of(settings, states))
    page = Page(service) if settings.page.port >= 0 else None
    if page:
        page.start()
        log.info("page: %s", page.url)
    log.info("watching %s; events in %s", ", ".join(settings.cameras), service.out)
    service.run()
    if page:
        page.stop()


def hide_secrets_in_tracebacks() -> None:
    """What ends the process or a thread goes through the log, which hides credentials."""

    def of_process(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("the service failed", exc_info=(kind, error, trace))

    def of_thread(arguments: threading.ExceptHookArgs) -> None:
        error = arguments.exc_value or arguments.exc_type()
        log.critical("a thread failed", exc_info=(arguments.exc_type, error, arguments.exc_traceback))

    sys.excepthook, threading.excepthook = of_process, of_thread
