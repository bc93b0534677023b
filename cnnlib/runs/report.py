"""What a training run leaves: its model, its test accuracy, three figures."""

import json
from pathlib import Path

import matplotlib
import numpy as np
import scipy.special
from sklearn.metrics import confusion_matrix

from cnnlib import files, plots


@matplotlib.rc_context({"text.parse_math": False})  # a class may be called Ba$$in
def finish(model, data, folder: Path, history: list[dict], seconds: float) -> float:
    """Save the model, look at the test set, and draw what came of it."""
    with files.written(folder / "model.keras") as part:
        model.save(part)
    names, truth = data.class_names, data.y_test
    asked = json.loads((folder / "run.json").read_text())
    accuracy, drawn, asked["seconds"] = float("nan"), {}, round(seconds, 1)
    if len(data.x_test):
        odds = scipy.special.softmax(model.predict(data.x_test, verbose=0), axis=1)
        answer = odds.argmax(axis=1)
        accuracy = asked["test_accuracy"] = float(np.mean(answer == truth))
        table = confusion_matrix(truth, answer, labels=range(len(names)))
        drawn["confusion"] = plots.confusion(table, names, alt="True classes, answers")
        wrong = np.flatnonzero(answer != truth)
        worst = wrong[np.argsort(-odds[wrong, answer[wrong]])][:16]
        if len(worst):
            titles = [f"{names[truth[i]]}:\n{names[answer[i]]}" for i in worst]
            alt = "The mistakes of which the network is surest: true class, answer"
            drawn["errors"] = plots.images(data.x_test[worst], titles, alt=alt)
    keys = ("epoch", "loss", "val_loss")
    epochs, *losses = ([row[key] for row in history] for key in keys)
    curves = dict(zip(("training", "held out"), losses, strict=True))
    axes = {"xlabel": "epoch", "ylabel": "loss", "alt": "Losses"}
    drawn["curves"] = plots.lines(epochs, curves, **axes)
    for name, figure in drawn.items():
        with files.written(folder / f"{name}.png") as part:
            figure.savefig(part)
    with files.written(folder / "run.json") as part:
        part.write_text(json.dumps(asked, indent=2))
    return accuracy
