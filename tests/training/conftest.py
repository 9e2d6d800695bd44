"""Fixtures of these tests."""

import logging

import pytest

from dist_vad.base.log import log


@pytest.fixture
def logged(caplog, monkeypatch) -> pytest.LogCaptureFixture:
    """What is logged, whether or not a command that an earlier test called has set the log up for itself."""
    monkeypatch.setattr(log, "propagate", True)
    caplog.set_level(logging.INFO, logger=log.name)
    return caplog
