import gc
import os
import signal
import tempfile

# One thread for each worker of pytest, as many as there are cores: with more they wait
# for each other. TensorFlow reads this when it is imported.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

# JAX compiles the same program anew for each model, in each worker and in the processes
# that tests start: all of a run share a folder of what was compiled. To compile well
# what then runs for milliseconds takes half as long again.
if os.environ.get("KERAS_BACKEND") == "jax":
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        compiled = tempfile.TemporaryDirectory(prefix="jax-")
        os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled.name
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
        os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# A shell starts what it puts into the background deaf to Ctrl-C, and all that this
# starts would be so, too: tests that interrupt something would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from cnnlib import claims

# Laws are tried on the same examples each time, and nothing is left in the checkout.
# JAX compiles every operation anew for each shape: there it is fewer of them.
set_hypothesis_home_dir(os.path.join(tempfile.gettempdir(), "hypothesis"))
hypothesis.settings.register_profile(
    "cnnlib",
    database=None,
    deadline=None,
    derandomize=True,
    max_examples=12 if keras.backend.backend() == "tensorflow" else 3,
)
hypothesis.settings.load_profile("cnnlib")


if keras.backend.backend() == "jax":
    # For each shape JAX compiles its own zeros and ones.
    for kind, fill in ((keras.initializers.Zeros, 0), (keras.initializers.Ones, 1)):
        kind.__call__ = lambda self, shape, dtype=None, fill=fill: np.full(
            shape, fill, dtype or keras.config.floatx()
        )


def pytest_addoption(parser):
    parser.addoption(
        "--every-depth",
        action="store_true",
        help="test the networks, too, that differ from others in their depth alone",
    )


def pytest_configure(config):
    config.addinivalue_line("markers", "every_depth: asked for by --every-depth")


def pytest_collection_modifyitems(config, items):
    """A network that differs in its depth alone runs through a relative's lines."""
    if not config.getoption("--every-depth"):
        reason = "a relative runs through these lines; --every-depth runs it too"
        for item in items:
            if item.get_closest_marker("every_depth"):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish():
    """Let no collection of garbage walk through all that was imported, again and again.

    What the tests leave behind is collected as before, less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 5)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    """Every test starts seeded, at the default scale, with no claim settled."""
    monkeypatch.delenv("CNNLIB_SCALE", raising=False)
    keras.utils.set_random_seed(0)
    settled = dict(claims.settled)
    claims.settled.clear()
    yield
    claims.settled.clear()
    claims.settled.update(settled)
