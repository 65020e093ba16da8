"""The manifests of tools/deploy against the schemas of Kubernetes, offline: the package `kubernetes-validate` has them
inside. What their parts say of each other is checked, too, and haproxy and nginx judge their configurations.

Agones' own kinds have no such package. A file of its custom resource definitions checks them: --crds install.yaml
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import tomllib

from serving import Verdicts

try:
    import jsonschema
    import kubernetes_validate
    import yaml
except ImportError as missing:
    raise SystemExit(
        f"not run: {missing.name} is not installed: pip install kubernetes-validate==1.37.0"
    ) from None

DEPLOY = Path(__file__).parents[2] / "tools" / "deploy"


def documents(name: str) -> list[dict]:
    """All objects of a file."""
    return [one for one in yaml.safe_load_all((DEPLOY / name).read_text()) if one]


def kubernetes(verdicts: Verdicts) -> None:
    """Every object is one, and they agree."""
    objects = documents("kubernetes.yaml")
    for one in objects:
        name = f"{one['kind']} `{one['metadata']['name']}`"
        for version in ("1.34", kubernetes_validate.latest_version()):
            judge(verdicts, f"{name} is one of Kubernetes {version}", one, version)
    kinds = {one["kind"]: one for one in objects}
    told = tomllib.loads(kinds["ConfigMap"]["data"]["serve.toml"])
    pod = kinds["Deployment"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    sleeps_s, ends_s = (
        container["lifecycle"]["preStop"]["sleep"]["seconds"],
        pod["terminationGracePeriodSeconds"],
    )
    verdicts.check(
        ends_s > sleeps_s + told["drain"]["max_s"],
        "the time to end is more than the sleep and drain.max_s",
        f"{ends_s} > {sleeps_s} + {told['drain']['max_s']} s",
    )
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    verdicts.check(
        [told[name].rsplit(":", 1)[1] for name in ("bind", "operations")]
        == [str(ports[name]) for name in ("clients", "operations")],
        "ports are those that the server listens at",
        ports,
    )
    probes = [container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    verdicts.check(
        {(one["path"], one["port"]) for one in probes}
        == {("/livez", "operations"), ("/readyz", "operations")},
        "probes ask the operations port",
        [one["path"] for one in probes],
    )
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    chosen = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    verdicts.check(all(one.items() <= labels.items() for one in chosen), "selectors find the pods", labels)
    metric = kinds["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["pods"]["metric"]["name"]
    source = (DEPLOY.parent / "serve" / "src" / "metrics.rs").read_text()
    verdicts.check(f'"{metric}"' in source, "the autoscaler reads a metric that exists", metric)


def judge(verdicts: Verdicts, demand: str, one: dict, version: str) -> None:
    """One object against the strict schema of its kind."""
    try:
        kubernetes_validate.validate(one, version, strict=True)
        verdicts.check(True, demand, "")
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        verdicts.check(False, demand, error.message)


def agones(verdicts: Verdicts, crds: str | None) -> None:
    """The pods in them are pods; the rest by definitions that are given."""
    objects = documents("agones.yaml")
    fleet = next(one for one in objects if one["kind"] == "Fleet")
    inside = fleet["spec"]["template"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, **inside}
    judge(verdicts, "the pod of Agones' fleet is one", pod, kubernetes_validate.latest_version())
    if crds is None:
        print("not run: Agones' kinds: no definitions given (--crds)")
        return
    schemas = {
        (crd["spec"]["group"], version["name"], crd["spec"]["names"]["kind"]): version["schema"][
            "openAPIV3Schema"
        ]
        for crd in yaml.safe_load_all(Path(crds).read_text())
        if crd and crd["kind"] == "CustomResourceDefinition"
        for version in crd["spec"]["versions"]
    }
    for one in objects:
        group, version = one["apiVersion"].split("/")
        schema = schemas.get((group, version, one["kind"]))
        if schema is None:
            print(f"not run: {one['kind']}: it is not among the definitions")
            continue
        errors = [error.message for error in jsonschema.Draft4Validator(schema).iter_errors(one)]
        errors += unknown(one, schema, one["kind"])
        verdicts.check(not errors, f"{one['kind']} is one of Agones", errors[:2])


def unknown(value: object, schema: dict, place: str) -> list[str]:
    """Fields that a schema with a list of fields does not have: Kubernetes would leave them out without a word."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    found = []
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            known = schema["properties"].get(name)
            if known is None and not (place.count(".") == 0 and name in ("apiVersion", "kind", "metadata")):
                found.append(f"{place}.{name} is not known")
            elif known is not None:
                found += unknown(inner, known, f"{place}.{name}")
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, inner in value.items():
            found += unknown(inner, schema["additionalProperties"], f"{place}.{name}")
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for at, inner in enumerate(value):
            found += unknown(inner, schema["items"], f"{place}[{at}]")
    return found


def proxies(verdicts: Verdicts) -> None:
    """Each judges its own, where it is installed."""
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "nginx.conf"
        whole.write_text(
            f"pid {folder}/pid;\nerror_log stderr;\nevents {{}}\n"
            f"http {{ access_log off; include {DEPLOY / 'nginx.conf'}; }}\n"
        )
        lines = {
            "haproxy": ["haproxy", "-c", "-f", str(DEPLOY / "haproxy.cfg")],
            "nginx": ["nginx", "-t", "-c", str(whole), "-p", folder],
            "systemd": ["systemd-analyze", "verify", str(DEPLOY / "mynah.service")],
        }
        for name, line in lines.items():
            if not shutil.which(line[0]):
                print(f"not run: {line[0]} is not installed")
                continue
            out = subprocess.run(line, capture_output=True, text=True)
            # The program of the unit is not where it will be.
            said = [one for one in out.stderr.splitlines() if "is not executable" not in one]
            holds = out.returncode == 0 or (name == "systemd" and not said)
            verdicts.check(holds, f"{name} takes its configuration", "" if holds else said[:1])


def main() -> None:
    """Checks them all."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--crds", help="Agones' custom resource definitions, as its install.yaml has them")
    given = options.parse_args()
    verdicts = Verdicts("manifests")
    kubernetes(verdicts)
    agones(verdicts, given.crds)
    proxies(verdicts)
    verdicts.end()


if __name__ == "__main__":
    main()
