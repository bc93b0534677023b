"""``python -m cnnlib train``: a network, data, and a folder that holds the run.

The run can be stopped at any time; it goes on at the end of the last whole epoch, and
ends with the history that it would have had. The folder then has::

    run.json         what was asked for, class names, versions; at the end the results
    checkpoint.npz   weights, optimizer, random states, history: written whole or not
    history.csv      a line for each epoch
    model.keras      pixels from 0 to 255 in, logits out, for ``classify --model``
    curves.png, confusion.png, errors.png
"""

from cnnlib.runs.folder import kept
from cnnlib.runs.settings import CHOICES, RECIPES, Settings
from cnnlib.runs.training import go_on, ready, train

__all__ = ["CHOICES", "RECIPES", "Settings", "go_on", "kept", "ready", "train"]
