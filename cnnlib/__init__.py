"""The library under "More on Convolutional Neural Networks", a talk that runs.

Rooms, each importing only from those before it: ``checks``, ``graph``, ``datasets``,
``gradients``, ``augment``, ``layers``, ``models``, ``training``, ``fooling``,
``segmentation``, ``explain``, ``plots``. Three small ones stand apart: ``claims``, the
talk's statements and their verdicts, ``files``, which are there whole or not at all,
and ``pick``, the one knob between a quick and a full run.
"""

import os

# TensorFlow greets on stderr when Keras first loads it; a lesson is no place for that.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from cnnlib.scale import pick

__version__ = "0.1.0"
__all__ = ["__version__", "pick"]
