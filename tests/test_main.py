"""`python -m cnnlib`: the catalogue and the summaries on the command line."""

import os
import subprocess
import sys

import pytest

from cnnlib import models
from cnnlib.__main__ import main


def test_models_lists_the_whole_catalogue(capsys):
    assert main(["models"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["name", "year", "paper", "task", "input"]
    assert [line.split()[0] for line in lines] == list(models.CATALOG)
    lenet = next(line for line in lines if line.startswith("lenet5"))
    assert "1998" in lenet
    assert "doi:10.1109/5.726791" in lenet
    assert "32 × 32 × 1" in lenet
    assert lenet.count("60,000") == 3  # trainable, all, published


def test_the_catalogues_words_begin_and_its_counts_end_in_one_column(capsys):
    main(["models"])
    head, *lines = capsys.readouterr().out.splitlines()
    for word in ("year", "paper", "task", "input"):
        column = head.index(word)
        assert {line[column - 1] for line in lines} == {" "}, word
        assert " " not in {line[column] for line in lines}, word
    end = head.index("trainable") + len("trainable")
    assert {line[end - 1].isdigit() and line[end] == " " for line in lines} == {True}


def test_summary_prints_the_stages(capsys):
    assert main(["summary", "lenet5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == "C1 1 28 × 28 × 6 156 117,600".split()
    assert lines[-1].split()[2] == "60,000"


def test_summary_takes_a_shape_and_classes(capsys):
    argv = ["summary", "mnist_cnn", "--input-shape", "32", "32", "3", "--classes"]
    assert main([*argv, "100"]) == 0
    assert "825,988" in capsys.readouterr().out.splitlines()[-1]


def test_summary_takes_a_familys_options(capsys):
    argv = [
        "summary",
        "cifar_resnet",
        "-o",
        "depth=74",
        "-o",
        "unit=full_preactivation",
    ]
    assert main([*argv, "-o", "input_shape=(8, 8, 3)"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "8 × 8 × 16" in lines[1]
    assert lines[-1].split()[2] == "1,150,074"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["summary", "lenet"], "no network is called 'lenet'; the nearest is 'lenet5'"),
        (["summary", "mnist_cnn", "-c", "0"], "takes classes=1 or more; given 0"),
        (["summary", "mnist_cnn", "-i", "5", "5"], "takes input_shape="),
        (["summary", "mnist_cnn", "-o", "depth=3"], "has no option 'depth'; it takes"),
        (["summary", "rbf_network"], "templates"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(argv, message, capsys):
    assert main(argv) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_an_option_without_a_value_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["summary", "cifar_resnet", "-o", "depth"])
    assert "takes name=value; given 'depth'" in capsys.readouterr().err


def test_what_a_terminal_cannot_show_stops_nothing():
    env = os.environ | {"PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "cnnlib", "models"]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0
    [lenet] = (line for line in done.stdout.splitlines() if line.startswith("lenet5"))
    assert "32 ? 32 ? 1" in lenet
