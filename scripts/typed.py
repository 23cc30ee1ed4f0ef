"""Types that npm packages know: the custom resources of the Prometheus operator and the Gateway API, and Grafana's dashboards.

A value is written into a TypeScript file as a literal of its type, which makes the compiler refuse a missing, a misspelt and an unknown
member alike. The custom resources are then given to the same package's validators, which also know patterns, such as that of a duration.
"""

import json
import subprocess
import tempfile
from pathlib import Path

TYPES = Path(__file__).resolve().parent.parent / ".tools/types"
OPERATOR = "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1"
GATEWAY = "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1"
# kind → (module, type, the package that validates)
RESOURCES = {
    "ServiceMonitor": (f"{OPERATOR}/ServiceMonitor", "IServiceMonitor", OPERATOR),
    "PrometheusRule": (f"{OPERATOR}/PrometheusRule", "IPrometheusRule", OPERATOR),
    "HTTPRoute": (f"{GATEWAY}/HTTPRoute", "IHTTPRoute", GATEWAY),
}
DASHBOARD = ("@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen", "Dashboard")
# Enums are matched by their values, which are all that JSON has.
PLAIN = """type Plain<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Plain<U>[] : T extends object ? {[K in keyof T]: Plain<T[K]>} : T;"""
OPTIONS = {
    "strict": True, "module": "nodenext", "moduleResolution": "nodenext", "noEmit": True, "skipLibCheck": True, "types": [],
}


def complaints(values):
    """What the compiler says about (module, type, value) triples; empty if nothing."""
    with tempfile.TemporaryDirectory(dir=TYPES) as folder:
        lines = [PLAIN]
        for number, (module, name, value) in enumerate(values):
            lines.append(f"import type {{{name} as T{number}}} from '{module}';")
            lines.append(f"export const v{number}: Plain<T{number}> = {json.dumps(value)};")
        Path(folder, "values.ts").write_text("\n".join(lines))
        Path(folder, "tsconfig.json").write_text(json.dumps({"compilerOptions": OPTIONS, "files": ["values.ts"]}))
        run = subprocess.run([TYPES / "node_modules/.bin/tsc", "-p", folder], capture_output=True, text=True, timeout=240)
        assert run.returncode == 0 or run.stdout, run.stderr
        return run.stdout


def refusals(resources):
    """What the validators say about custom resources, as text; empty if nothing."""
    lines = [f"import * as p{n} from '{package}';" for n, package in enumerate((OPERATOR, GATEWAY))]
    for resource in resources:
        package = "p0" if RESOURCES[resource["kind"]][2] == OPERATOR else "p1"
        said = json.dumps(f"{resource['kind']}: ")
        lines.append(f"try {{ new {package}.{resource['kind']}({json.dumps(resource)}).validate() }} catch (e) {{ console.log({said} + e.message) }}")
    run = subprocess.run(["node", "--input-type=module"], input="\n".join(lines), cwd=TYPES, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    return run.stdout


def resource_complaints(resources):
    """Compiler and validators together."""
    return complaints([(*RESOURCES[r["kind"]][:2], r) for r in resources]) + refusals(resources)
