"""Tests in a browser, where there is one."""

import pytest

from tools.browser import NAMES, found

needs_browser = pytest.mark.skipif(
    found() is None, reason=f"seen in Chromium only; none of {NAMES} is here"
)

# How far the colour of an element's text is from what is behind it: WCAG's ratio.
CONTRAST = r"""const colour = text => (text.match(/[\d.]+/g) || []).map(Number);
  const light = rgb => rgb.slice(0, 3).map(c => c / 255).map(
    c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const behind = e => {
    for (; e; e = e.parentElement) {
      const found = colour(getComputedStyle(e).backgroundColor);
      if (found.length == 3 || found[3] > .5) return found;
    }
    return [255, 255, 255];
  };
  const contrast = e => {
    const [a, b] = [colour(getComputedStyle(e).color), behind(e)].map(light);
    return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
  };"""
