"""Every kind of fault that outsiders found has its cases."""

import re
import subprocess
import sys

import pytest
from launching import ROOT

KINDS, LEAST, LEAST_OF_ALL = 13, 15, 200


@pytest.fixture(scope="module")
def counts() -> dict[int, int]:
    """Kind -> its cases, as a run of the whole folder tells them; the slow ones too."""
    collect = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/faults"]
    done = subprocess.run([sys.executable, *collect], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(kind): int(count) for kind, count in re.findall(r"^kind +(\d+), .*: (\d+) cases$", done.stdout, re.M)}


def test_every_kind_has_cases_enough(counts):
    assert [*counts] == [*range(1, KINDS + 1)]
    assert not {kind: count for kind, count in counts.items() if count < LEAST}


def test_there_are_cases_enough_of_all_kinds_together(counts):
    assert sum(counts.values()) >= LEAST_OF_ALL
