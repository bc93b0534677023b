"""Tests in a browser, where there is one."""

import pytest

from tools.browser import NAMES, found

needs_browser = pytest.mark.skipif(
    found() is None, reason=f"seen in Chromium only; none of {NAMES} is here"
)
