"""The catalogue against a record of its own, and what is reached by a name."""

import csv
import importlib
import inspect
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from cnnlib import models

# Facts from the papers and counts by arithmetic, kept apart from the rows in the code.
RECORD = list(csv.DictReader(Path(__file__).with_name("catalogue.csv").open()))
HELPERS = set(
    "build convolutionalize decode imagenet_class imagenet_names input_bounds "
    "preprocess to_pixels unet_output_size".split()
)
TINY = {"input_shape": (32, 32, 3), "classes": 3}


def written(value):
    """A field of an entry as the record writes it."""
    if value is None:
        return ""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def test_the_networks_come_in_the_talks_order():
    assert list(models.CATALOG) == [row["name"] for row in RECORD]


@pytest.mark.parametrize("row", RECORD, ids=lambda row: row["name"])
def test_each_row_has_the_facts_of_the_record(row):
    entry = models.CATALOG[row["name"]]
    assert {key: written(getattr(entry, key)) for key in row} == row


def test_every_row_of_every_file_is_in_the_catalogue():
    rows = set()
    for file in pkgutil.iter_modules(models.__path__):
        module = importlib.import_module(f"cnnlib.models.{file.name}")
        entries = (getattr(value, "entry", None) for value in vars(module).values())
        rows |= {row.name for row in entries if isinstance(row, models.Entry)}
    assert rows == set(models.CATALOG)


def test_public_functions_are_builders_and_helpers():
    public = {n for n in models.__all__ if inspect.isfunction(getattr(models, n))}
    assert public == {*models.CATALOG, *models.FAMILIES, *HELPERS}
    for name, entry in models.CATALOG.items():
        assert getattr(models, name) is entry.builder
    for name, family in models.FAMILIES.items():
        assert getattr(models, name) is family


# What a family is without options, besides its sizes; None, 0 and False are left out.
DEFAULTS = """
vgg depth=16
cifar_plain depth=20 width=16
cifar_resnet depth=20 width=16 unit='original'
resnet depth=50
resnet_v2 depth=50
cifar_resnet_v2 depth=164 block='bottleneck' width=16
stochastic_depth depth=110 survival=0.5 width=16
cifar_densenet depth=40 growth=12
densenet blocks=(6, 12, 24, 16) growth=32 compression=0.5
fcn stride=8
fc_densenet blocks=(4, 5, 7, 10, 12, 15, 12, 10, 7, 5, 4) growth=16 width=48 dropout=0.2
rbf_network
"""


def test_the_defaults_of_every_family_are_on_record():
    found = []
    for name, family in models.FAMILIES.items():
        parameters = dict(inspect.signature(family).parameters)
        for other in ("input_shape", "classes", "templates"):
            parameters.pop(other, None)
        told = (f"{key}={p.default!r}" for key, p in parameters.items() if p.default)
        found.append(" ".join([name, *told]))
    assert found == DEFAULTS.strip().splitlines()


def test_a_variant_is_its_family_with_what_it_fixes():
    entry = models.CATALOG["resnet56"]
    assert entry.family is models.cifar_resnet
    assert entry.fixes == {"depth": 56, "unit": "original"}
    parameters = inspect.signature(models.resnet56).parameters
    assert list(parameters) == ["input_shape", "classes", "width", "scan", "name"]
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    model = models.resnet56(input_shape=(8, 8, 1), width=2)
    same = models.cifar_resnet(input_shape=(8, 8, 1), width=2, depth=56)
    assert model.name == same.name == "resnet56"
    assert [x.name for x in model.layers] == [x.name for x in same.layers]


def test_a_variants_docstring_tells_its_row():
    text = " ".join(models.resnet34.__doc__.split())
    assert text.startswith("resnet34: 21,797,672 trained parameters, 21,814,696 with")
    assert "``resnet(depth=34)``; arXiv:1512.03385, 2015." in text
    assert "24.52 % top-1 and 7.46 % top-5 (table 3: ten crops, B)" in text
    assert "Published: 1.5 M parameters (table 3)." in models.fc_densenet56.__doc__
    published = "Published error: 22.2 % top-1 (the authors' repository: one crop)."
    assert published in " ".join(models.densenet161.__doc__.split())
    assert "Published error: 6.97 % on CIFAR-10 (table 6)." in models.resnet56.__doc__
    assert "two projections" in models.resnet110_v2.__doc__
    assert max(map(len, models.resnet1001_v2.__doc__.splitlines())) <= 80


@pytest.mark.parametrize(
    ("family", "options", "name"),
    [
        ("cifar_plain", {"depth": 14}, "plain14"),
        ("cifar_resnet", {"depth": 74}, "resnet74"),
        ("cifar_resnet_v2", {"depth": 20}, "resnet20_v2"),
        ("resnet", {"depth": 18}, "resnet18"),
        ("resnet_v2", {"depth": 50, "name": "backbone"}, "backbone"),
        ("densenet", {"blocks": (1, 2)}, "densenet"),
        ("cifar_densenet", {"depth": 10}, "cifar_densenet"),
        ("fc_densenet", {"blocks": (1, 1, 1)}, "fc_densenet"),
    ],
)
def test_build_reaches_every_family(family, options, name):
    model = models.build(family, **TINY, **options)
    assert (model.name, model.output_shape[-1]) == (name, 3)


def test_build_reaches_the_network_of_templates():
    templates = np.random.default_rng(0).uniform(size=(5, 4, 4, 1))
    model = models.build("rbf_network", templates=templates, input_shape=(4, 4, 1))
    assert model.name == "rbf_network"
    with pytest.raises(TypeError, match="templates"):
        models.build("rbf_network")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lenet5", {"depth": 5}, "lenet5 has no option 'depth'; it takes input_shape,"),
        ("resnet56", {"depth": 20}, r"'depth' \(cifar_resnet takes it\); it takes inp"),
        ("cifar_resnet", {"dept": 20}, "'dept'; it takes .*, depth, width, unit, scan"),
    ],
)
def test_an_unknown_option_is_told_those_there_are(name, options, message):
    with pytest.raises(TypeError, match=message):
        models.build(name, **options)


def test_a_variant_called_by_itself_refuses_what_it_fixes():
    with pytest.raises(TypeError, match=r"resnet56 has no option 'depth' \(cifar_res"):
        models.resnet56(depth=20)


def test_a_name_that_is_close_to_a_family_is_offered():
    with pytest.raises(ValueError, match="nearest is 'cifar_resnet'"):
        models.build("cifar_resnets")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cifar_resnet", {"depth": 14, "width": 4}),
        ("cifar_resnet_v2", {"depth": 11, "width": 4}),
        ("resnet", {"depth": 18}),
        ("cifar_densenet", {"depth": 10, "growth": 3}),
        ("fc_densenet", {"blocks": (1, 1, 1), "growth": 3, "width": 4}),
        ("highway", {"widths": (3, 4), "units": (1, 1)}),
    ],
)
def test_numpys_integers_are_sizes(name, options):
    whole = {k: np.int64(v) if isinstance(v, int) else v for k, v in options.items()}
    whole |= {"input_shape": tuple(np.array((32, 32, 3))), "classes": np.int32(3)}
    model = models.build(name, **whole)
    assert model.count_params() == models.build(name, **TINY, **options).count_params()
    assert model.to_json()


@pytest.mark.parametrize("name", ["a/b", "", 5])
def test_a_name_that_keras_refuses_is_refused_at_once(name):
    told = "cifar_resnet takes name= as text without '/'"
    for build in (models.cifar_resnet, models.resnet20):
        with pytest.raises(ValueError, match=told):
            build(name=name)


@pytest.mark.parametrize("name", [*models.CATALOG, *models.FAMILIES])
def test_every_builder_takes_a_name_by_default_its_own(name):
    last = list(inspect.signature(getattr(models, name)).parameters.values())[-1]
    assert (last.name, last.default, last.kind) == ("name", None, last.KEYWORD_ONLY)
