"""What runs elsewhere is what it takes there, and calls what the Makefile has."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def validated(*files, schema="github-workflows"):
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema"]
    return subprocess.run(
        [*command, f"vendor.{schema}", *files], capture_output=True, text=True
    )


def test_every_workflow_fits_githubs_schema():
    done = validated(*WORKFLOWS)
    assert done.returncode == 0, done.stdout


def test_a_workflow_that_does_not_fit_is_seen(tmp_path):
    text = (ROOT / ".github/workflows/pages.yml").read_text("utf-8")
    (tmp_path / "bad.yml").write_text(text.replace("runs-on", "run-on"), "utf-8")
    assert validated(tmp_path / "bad.yml").returncode == 1


def test_pages_builds_the_talk_and_deploys_what_the_site_consists_of():
    told = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text("utf-8"))
    steps = told["jobs"]["build"]["steps"]
    runs = [step["run"] for step in steps if "run" in step]
    assert runs == [
        "make talk",
        "mkdir site && cp -r build/*.html build/pages build/decks site/",
    ]
    upload = next(step for step in steps if "upload-pages" in step.get("uses", ""))
    assert upload["with"]["path"] == "site"
    deploy = told["jobs"]["deploy"]
    assert deploy["needs"] == "build"
    assert deploy["permissions"] == {"pages": "write", "id-token": "write"}
    assert deploy["steps"][0]["uses"].startswith("actions/deploy-pages@")
    assert deploy["steps"][0]["id"] in deploy["environment"]["url"]


def test_every_make_of_a_workflow_is_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    asked = {
        name
        for path in WORKFLOWS
        for name in re.findall(r"(?:make|target:) ([a-z-]+)", path.read_text("utf-8"))
    }
    assert {"talk", "test-jax", "test-newest"} <= asked
    for name in asked:
        assert re.search(rf"(?m)^(?:[a-z-]+ )*{name}(?: [a-z-]+)*:", makefile), name


def test_the_citation_is_one():
    done = validated(ROOT / "CITATION.cff", schema="citation-file-format")
    assert done.returncode == 0, done.stdout


def test_a_citation_without_authors_is_seen(tmp_path):
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    (tmp_path / "CITATION.cff").write_text(text.replace("authors:", "writers:"))
    done = validated(tmp_path / "CITATION.cff", schema="citation-file-format")
    assert done.returncode == 1


def test_the_container_installs_what_make_installs():
    told = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
    assert told["postCreateCommand"].endswith("make env")
    python = re.search(r"python:(3\.\d+)", told["image"])[1]
    assert python in (ROOT / "environment.yml").read_text("utf-8")
