"""The docs as a site: built without a warning, and whole without the network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from launching import ROOT

pytest.importorskip("mkdocs")


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The folder of the site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    surroundings = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=surroundings)
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return folder


def test_every_page_is_in_it(site):
    built = {path.relative_to(site).with_suffix(".md") for path in site.rglob("*.html")}
    written = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    assert written <= built


def test_a_page_loads_nothing_from_elsewhere(site):
    loads = re.compile(
        r"""<(?:script|img|iframe)[^>]*\bsrc=["']?(https?:[^"'>\s]+)|<link[^>]*href=["']?(https?:[^"'>\s]+)"""
    )
    remote = {match for path in site.rglob("*.html") for match in loads.findall(path.read_text())}
    fonts = [
        path.name for path in site.rglob("*.css") if re.search(r"(?:@import|url\()\s*[\"']?https?:", path.read_text())
    ]
    assert not remote and not fonts


def test_the_reference_shows_examples_as_code(site):
    page = (site / "reference/inference.html").read_text()
    assert '<span class="n">Detector</span><span class="o">.</span><span class="n">load</span>' in page
