"""Render the Helm chart without Helm: `pip install "gotpl[helm]"`, then `python scripts/render_chart.py`.

Writes what the tests check against Kubernetes' schemas: the chart with its default values and with every option switched
on, and the digest of the chart that was rendered.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
CHART = ROOT / "deploy/helm/voicemill"
RENDERED = ROOT / "tests/data/kubernetes/rendered.json"
EVERYTHING: dict[str, Any] = {
    "tokenSecret": "voice-tokens",
    "autoscaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 6, "cpuUtilization": 60},
    "hosts": ["voices.example.org"],
    "options": ["--rate=600", "--loudness=-19"],
    "voices": {"existingClaim": "", "size": "2Gi", "storageClass": "fast", "accessMode": "ReadOnlyMany"},
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "voices", "operator": "Exists", "effect": "NoSchedule"}],
}
CASES = {"defaults": {}, "everything": EVERYTHING, "claim": {"voices": {"existingClaim": "mine"}}}


def chart_digest() -> str:
    """sha256 over the chart's files."""
    digest = hashlib.sha256()
    for path in sorted(CHART.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(CHART).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def render(changes: dict[str, Any]) -> list[dict[str, Any]]:
    """The resources of the chart with some values changed."""
    from gotpl.exts.helm import HelmTemplateEngine

    values = _merged(yaml.safe_load((CHART / "values.yaml").read_text("utf-8")), changes)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    names = {"Name": chart["name"], "Version": chart["version"], "AppVersion": chart["appVersion"]}
    release = {"Name": "demo", "Namespace": "default", "Service": "Helm"}
    sources = {path.name: path.read_text("utf-8") for path in sorted((CHART / "templates").iterdir())}
    context = {"Values": values, "Chart": names, "Release": release}
    engine = HelmTemplateEngine.from_sources(sources, strict=True)
    rendered = engine.render({name: context for name in sources if name.endswith(".yaml")})
    return [resource for text in rendered.values() for resource in yaml.safe_load_all(text) if resource]


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for name, value in changes.items():
        old = both.get(name)
        both[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


def rendered() -> dict[str, Any]:
    """What the file of the tests holds."""
    return {"chart_sha256": chart_digest(), "cases": {name: render(changes) for name, changes in CASES.items()}}


if __name__ == "__main__":
    RENDERED.write_text(json.dumps(rendered(), indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{RENDERED.relative_to(ROOT)}\n")
