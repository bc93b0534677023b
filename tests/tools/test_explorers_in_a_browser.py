"""The site's explorers, which work without a kernel: what they show is right."""

import base64
import io
import os
import re

import numpy as np
import pytest
from browser import needs_browser
from PIL import Image
from scipy.signal import correlate2d


def explorer(window, page):
    window.size(1280, 900)
    window.open(page.as_uri())
    window.until("document.body.dataset.ready")


MOVE = """((input, value) => {
  input.value = value;
  input.dispatchEvent(new Event('input', {bubbles: true}));
  input.dispatchEvent(new Event('change', {bubbles: true}));
})"""
SHOWN = """[...document.querySelectorAll('main canvas, main svg, main img')].map(
  e => e.toDataURL?.() ?? e.src ?? e.outerHTML).join() +
  document.querySelector('main').innerText"""
CONTROLS = "[...document.querySelectorAll('main input:not([type=radio]), main select')]"


def deaf(window):
    """The controls of a page that can be moved with nothing to be seen of it."""
    found = []
    for number in range(window.js(f"{CONTROLS}.length")):
        control = f"{CONTROLS}[{number}]"
        before = window.js(SHOWN)
        window.js(
            f"(e => e.type == 'checkbox' ? e.click() : {MOVE}(e, e.options ?"
            " 'same' : Number(e.value) + (Number(e.value) > e.min ? -1 : 1)))"
            + f"({control})"
        )
        window.js("new Promise(done => setTimeout(done, 50))")
        if window.js(SHOWN) == before:
            found.append(window.js(f"{control}.outerHTML"))
    return found


EXPLORERS = ("kernel", "receptive", "epsilon")


@needs_browser
@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_of_an_explorer_answers(name, site, window):
    explorer(window, site / f"{name}.html")
    assert deaf(window) == []
    assert window.js(f"{CONTROLS}.length") == {"kernel": 19, "epsilon": 1}.get(name, 14)
    assert window.asked() == window.complaints() == []


@needs_browser
@pytest.mark.parametrize("name", EXPLORERS)
def test_a_control_that_does_not_answer_is_seen(name, site, window):
    html = (site / f"{name}.html").read_text("utf-8")
    page = site.parent / f"deaf-{os.getpid()}.html"
    page.write_text(html.replace("oninput", "onnothing"), encoding="utf-8")
    explorer(window, page)
    assert deaf(window)


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@needs_browser
def test_the_kernels_sums_are_scipys(site, window):
    explorer(window, site / "kernel.html")
    photo = decoded(window.js("PHOTOGRAPH")).astype(float)
    rng = np.random.default_rng(0)
    for kernel in [*rng.normal(size=(3, 3, 3)).round(1), np.arange(9).reshape(3, 3)]:
        for number, weight in enumerate(kernel.ravel()):
            field = f"document.querySelectorAll('#kernel [type=number]')[{number}]"
            window.js(f"{MOVE}({field}, {weight})")
        theirs = correlate2d(photo, kernel, "valid")
        found = np.reshape(window.js("[...result]"), theirs.shape)
        assert abs(found - theirs).max() < 1e-3
        edges = window.js("document.getElementById('range').textContent")
        least, most = map(int, re.findall(r"-?\d+", edges)[:2])
        assert abs(least - theirs.min()) < 0.51
        assert abs(most - theirs.max()) < 0.51
    window.js("document.getElementById('relu').click()")
    assert np.allclose(window.js("[...result]"), theirs.clip(0).ravel(), atol=1e-3)


STACKS = [
    (15, [(3, 1, "valid", 1)] * 3),
    (31, [(3, 2, "valid", 1), (3, 2, "valid", 1), (3, 1, "valid", 1)]),
    (32, [(5, 1, "same", 1), (2, 2, "valid", 1), (4, 3, "same", 1)]),
    (31, [(3, 1, "same", 1), (3, 1, "valid", 2), (3, 1, "same", 4)]),
    (
        64,
        [(11, 4, "same", 1), (3, 2, "same", 1), (1, 1, "valid", 1), (5, 1, "same", 1)],
    ),
]


@needs_browser
@pytest.mark.parametrize(("pixels", "stack"), STACKS)
def test_sizes_and_receptive_fields_are_cnnlibs(pixels, stack, site, window):
    import keras

    from cnnlib.explain import receptive_field

    layers = [keras.Input((pixels, pixels, 1))]
    for n, (kernel, stride, padding, dilation) in enumerate(stack):
        window_of = {"strides": stride, "padding": padding, "dilation_rate": dilation}
        layers.append(keras.layers.Conv2D(1, kernel, **window_of, name=f"layer{n}"))
    model = keras.Sequential(layers)
    explorer(window, site / "receptive.html")
    settings = [f"layer({k}, {s}, '{p}', {d})" for k, s, p, d in stack]
    window.js(f"[n, layers] = [{pixels}, [{', '.join(settings)}]]; rows()")
    cells = "[...document.querySelectorAll('#table tr')].map(row => [...row.cells]"
    table = window.js(f"{cells}.slice(1).map(cell => Number(cell.textContent)))")
    assert table[0] == [pixels, 1, 1, 0]
    for layer, row in zip(model.layers, table[1:], strict=True):
        seen = receptive_field(model, layer.name)
        units = layer.output.shape[1]
        assert row == [units, seen.size[0], seen.stride[0], seen.start[0]]
    # Which pixels: those that move a unit of the last layer when each weight is 1.
    weights = [np.ones_like(w) if w.ndim > 1 else w for w in model.get_weights()]
    model.set_weights(weights)
    rows = np.eye(pixels, dtype="float32")[:, :, None, None] * np.ones((pixels, 1))
    moved = np.asarray(model(rows))[:, :, units // 2, 0] > 0
    for unit in {0, units // 2, units - 1}:
        window.js(f"{MOVE}(document.getElementById('unit'), {unit})")
        marked = window.js(f"[...seen(stack(n, layers), layers, {unit})[0]]")
        assert sorted(marked) == np.flatnonzero(moved[:, unit]).tolist()
        drawn = window.js("document.querySelectorAll('#picture rect.on').length")
        assert drawn >= len(marked) + 1


@needs_browser
def test_a_window_that_is_larger_than_its_layer_is_named(site, window):
    explorer(window, site / "receptive.html")
    window.js("[n, layers] = [5, [layer(3), layer(4)]]; rows()")
    said = window.js("document.getElementById('said').textContent")
    assert said.startswith("Layer 2 has no place to stand: its window reaches 4, and")
    assert window.complaints() == []


@needs_browser
def test_epsilons_pictures_are_what_the_network_saw(site, window):
    from scipy.special import softmax

    from cnnlib import models

    explorer(window, site / "epsilon.html")
    told = window.js("TOLD")
    names = models.imagenet_names()
    network = models.efficientnet_lite0(weights="imagenet")
    photo = decoded(told["attack"][0]["picture"]).astype(int)
    for way in ("attack", "random"):
        window.js(f"document.querySelector('[value={way}]').click()")
        pictures = np.stack([decoded(one["picture"]) for one in told[way]])
        inputs = models.preprocess("efficientnet_lite0", pictures)
        odds = softmax(network.predict(inputs, verbose=0), axis=1)
        for at, epsilon in enumerate(told["epsilons"]):
            window.js(f"{MOVE}(document.getElementById('epsilon'), {at})")
            shown = window.js("document.getElementById('picture').src")
            assert shown == told[way][at]["picture"]
            assert abs(pictures[at] - photo).max() == epsilon
            (name, share), *_ = told[way][at]["top"]
            assert name == names[odds[at].argmax()]
            assert share == pytest.approx(odds[at].max(), abs=0.01)
            said = window.js("document.getElementById('said').textContent")
            assert said == f"The network sees: {name}, {100 * share:.1f} %."
    assert told["attack"][-1]["top"][0][0] == "ostrich"
    assert "ostrich" not in dict(told["random"][-1]["top"])
