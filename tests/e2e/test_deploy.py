"""Is what stands in deploy/ right: in the eyes of its own tools, and about the commands and settings of repoctx?"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import documents
import kubernetes_validate
import pytest
import yaml
from packaging.requirements import Requirement
from prometheus_client.parser import text_string_to_metric_families

from repoctx import __version__
from repoctx.config import KEYS
from repoctx.errors import RepoctxError
from repoctx.model.servers import servers
from repoctx.model.windows import find
from repoctx.parse.languages import LANGUAGES
from repoctx.serve.rest import metrics
from repoctx.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
OPERATIONS = ROOT / "repoctx" / "docs" / "operations.md"
# What is about running the service; deploy/backend is about tests.
TEXTS = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and "backend" not in path.parts)
MANIFESTS = sorted((DEPLOY / "kubernetes").rglob("*.yaml"))
# Kinds of other projects, whose schemas are not those of Kubernetes.
ELSEWHERE = {"Kustomization", "ScaledObject", "TriggerAuthentication"}
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
ENTRYPOINT = ["tini", "--", "repoctx"]


def program(name: str) -> str:
    """A program of the environment that the tests run in, or of this machine."""
    found = shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def said(*words: str) -> tuple[int, str]:
    """The exit code of a program, and what it said."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


def manifests() -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every object of every manifest."""
    for path in MANIFESTS:
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            yield path, one


# --- their own tools ---------------------------------------------------------------------------


def test_the_dockerfile_is_clean():
    """In the eyes of hadolint."""
    assert said(program("hadolint"), "deploy/Dockerfile") == (0, "")


def test_the_yaml_is_clean():
    """In the eyes of yamllint, whose settings stand beside it."""
    assert said(program("yamllint"), "--strict", "--config-file", "deploy/.yamllint.yaml", "deploy") == (0, "")


def test_the_manifests_follow_the_schemas_of_kubernetes():
    """Each object, with no field that there is not."""
    checked = []
    for _, one in manifests():
        if one["kind"] not in ELSEWHERE:
            kubernetes_validate.validate(one, "1.33", strict=True)
            checked.append(one["kind"])
    assert sorted(set(checked)) == [
        "ConfigMap", "Deployment", "Ingress", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "Secret", "Service",
        "ServiceAccount", "StatefulSet",
    ]  # fmt: skip


def test_the_kustomizations_name_the_manifests_that_there_are():
    """What is not among them is an example, which its name says, or in a folder of its own."""
    for path, one in manifests():
        if one["kind"] != "Kustomization":
            continue
        beside = {other.name for other in path.parent.glob("*.yaml")} - {"kustomization.yaml"}
        assert set(one["resources"]) == {name for name in beside if ".example." not in name}


def test_pods_are_restricted():
    """As the standard `restricted` asks, which the namespace enforces: and the root file system is read-only."""
    pods = [one["spec"]["template"]["spec"] for _, one in manifests() if one["kind"] in ("Deployment", "StatefulSet")]
    assert len(pods) == 3
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert set(container["resources"]) == {"requests", "limits"}


def test_systemd_takes_the_units(tmp_path):
    """With and without the drop-in for test commands; the program that they start is that of these tests."""
    analyze = program("systemd-analyze")
    units = sorted((DEPLOY / "systemd").glob("*.service")) + sorted((DEPLOY / "systemd").glob("*.timer"))
    assert [unit.name for unit in units] == [
        "repoctx-backup.service", "repoctx-worker@.service", "repoctx.service", "repoctx-backup.timer",
    ]  # fmt: skip
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        text = text.replace("/opt/repoctx/bin/repoctx", program("repoctx"))
        text = text.replace("/opt/repoctx/bin/python", sys.executable)
        (tmp_path / unit.name.replace("@", "@1")).write_text(text, encoding="utf-8")
    within = tmp_path / "repoctx-worker@1.service.d"
    names = [str(path) for path in sorted(tmp_path.iterdir())]
    assert said(analyze, "verify", "--man=no", "--recursive-errors=no", *names) == (0, "")
    within.mkdir()
    shutil.copy(DEPLOY / "systemd" / "test-commands.conf", within)
    assert said(analyze, "verify", "--man=no", "--recursive-errors=no", names[1]) == (0, "")


def test_the_units_of_systemd_have_the_same_settings():
    """The backup is of the database that the service has, wherever its settings stand."""
    units = {path.name: path.read_text(encoding="utf-8") for path in (DEPLOY / "systemd").glob("*.service")}
    said = {name: re.findall(r"^Environment(?:File)?=.*$", text, re.MULTILINE) for name, text in units.items()}
    wanted = [
        "Environment=REPOCTX_HOME=/var/lib/repoctx REPOCTX_CONFIG=/etc/repoctx/repoctx.toml",
        "EnvironmentFile=-/etc/repoctx/environment",
    ]
    assert said == dict.fromkeys(units, wanted)


def test_the_workers_that_systemd_may_start_are_named():
    """Each of them has a port for its metrics, and no other: the unit and its document say which they are."""
    unit = (DEPLOY / "systemd" / "repoctx-worker@.service").read_text(encoding="utf-8")
    port = re.search(r"--metrics-port (\S+)", unit)[1]
    assert [number for number in range(30) if int(port.replace("%i", str(number))) < 1 << 16] == [*range(10)]
    for text in (unit.replace("\n# ", " "), OPERATIONS.read_text(encoding="utf-8").replace("`", "")):
        assert "up to ten" in text
        assert "repoctx-worker@0 to repoctx-worker@9" in text


# --- the compose files -------------------------------------------------------------------------


def test_the_services_of_compose_are_hardened():
    """And all that runs repoctx has a home of its own, and nothing else that it may write."""
    services = COMPOSE["services"]
    assert sorted(services) == ["postgres", "service", "vllm-1m", "vllm-512k", "vllm-native", "worker"]
    for name in ("service", "worker", "postgres"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
        assert services[name]["security_opt"] == ["no-new-privileges:true"]
    assert services["service"]["volumes"] == ["home:/var/lib/repoctx"]
    assert services["worker"]["volumes"] == ["/var/lib/repoctx"]
    assert {one.partition(":")[0] for one in (*services["service"]["tmpfs"], *services["worker"]["tmpfs"])} == {"/tmp"}
    assert services["postgres"]["volumes"] == ["postgres:/var/lib/postgresql/data"]
    assert set(COMPOSE["volumes"]) == {"home", "postgres", "models"}


def test_test_commands_change_the_workers_alone():
    """They keep no-new-privileges, and get no capability."""
    found = yaml.safe_load((DEPLOY / "compose.test-commands.yaml").read_text(encoding="utf-8"))
    assert found == {
        "services": {
            "worker": {
                "security_opt": [
                    "no-new-privileges:true", "seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined",
                ]
            }
        }
    }  # fmt: skip


@pytest.mark.parametrize("tier", ["native", "512k", "1m"])
def test_vllm_is_started_as_the_model_wants(tier):
    """Word by word what `repoctx models` prints, and what .env adds; Compose takes a text apart as a shell does."""
    found = find("qwen3-coder-30b-a3b")
    wanted = next(one for one in found.tiers if one.name == tier)
    command = next(one.command for one in servers(found, wanted) if one.server == "vLLM")
    service = COMPOSE["services"][f"vllm-{tier}"]
    assert service["entrypoint"] + shlex.split(service["command"]) == [*shlex.split(command), "${VLLM_ARGUMENTS:-}"]
    assert service["profiles"] == [tier]


def test_every_variable_of_compose_is_in_the_example():
    """Its .env.example names each, but for those that compose.yaml alone gives a value."""
    asked = set(re.findall(r"\$\{([A-Z_]+)", (DEPLOY / "compose.yaml").read_text(encoding="utf-8")))
    named = set(re.findall(r"^#?([A-Z_]+)=", (DEPLOY / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert asked - named == set()
    assert {name for name in named - asked if not name.startswith("REPOCTX_")} == {"OPENAI_API_KEY"}


# --- what they say of repoctx ------------------------------------------------------------------


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """Every command line of repoctx in deploy/ and operations.md, without the program's name."""
    for name, service in COMPOSE["services"].items():
        if name in ("service", "worker"):
            yield f"compose.yaml {name}", service["command"]
    for path, one in manifests():
        if one["kind"] in ("Deployment", "StatefulSet"):
            for container in one["spec"]["template"]["spec"]["containers"]:
                if container["image"] == "repoctx":
                    yield path.name, container["args"]
    for path in TEXTS:
        text = path.read_text(encoding="utf-8")
        for line in re.findall(r"^ExecStart=\S*/repoctx (.*)$", text, re.MULTILINE):
            yield path.name, shlex.split(line.replace("%i", "1"))
        for line in re.findall(r"^CMD (\[\"serve\".*)$", text, re.MULTILINE):
            yield path.name, yaml.safe_load(line)
        for quoted in re.findall(r"`repoctx ([^`]*)`", text):
            yield path.name, shlex.split(quoted)
        for line in re.findall(r"^#  .*? repoctx ((?!and )[a-z].*)$", text, re.MULTILINE):
            yield path.name, shlex.split(line)
    for one in documents.shown(OPERATIONS):
        if one.block and one.language in documents.SHELLS:
            for words in documents.command_lines(one.text):
                # Of others a word of it may be called so too: a user, an image, a namespace.
                for at, word in enumerate(words[:-1]):
                    called = word in ("repoctx", "repoctx:local") or word.endswith("/bin/repoctx")
                    if called and (at == 0 or words[at + 1] in documents.cli.commands):
                        yield f"operations.md:{one.line}", words[at + 1 :]
        elif not one.block and one.text.startswith("repoctx "):
            yield f"operations.md:{one.line}", shlex.split(one.text.removeprefix("repoctx "))


def test_every_command_line_is_one_that_repoctx_takes():
    """It is parsed as the real one, and not run."""
    found = list(command_lines())
    assert len(found) > 25
    refused = []
    for where, words in found:
        try:
            documents.parse(words)
        except Exception as error:
            refused.append(f"{where}: repoctx {shlex.join(words)}: {error}")
    assert refused == []


def test_every_setting_is_one_that_there_is():
    """REPOCTX_ and the key; REPOCTX_CONFIG names the file of settings, REPOCTX_SECRET_… what repositories name."""
    known = {f"REPOCTX_{name.upper()}" for name in KEYS} | {"REPOCTX_CONFIG"}
    for path in [*TEXTS, OPERATIONS]:
        named = set(re.findall(r"REPOCTX_[A-Z_]*", path.read_text(encoding="utf-8")))
        assert {name for name in named - known if not name.startswith("REPOCTX_SECRET_")} - {"REPOCTX_"} == set(), path


def test_every_metric_is_one_that_there_is(tmp_path):
    """In the tables, the rules of Prometheus, and what autoscalers are told."""
    workspace = Workspace({"REPOCTX_HOME": str(tmp_path)})
    every = text_string_to_metric_families(metrics.text(workspace.engine).decode())
    workspace.close()
    families = [one for one in every if one.name.startswith("repoctx_") and not one.name.endswith("_created")]
    endings = {"counter": ["_total"], "histogram": ["", "_bucket"], "gauge": [""]}
    known = {family.name + ending for family in families for ending in endings[family.type]}
    named = set(re.findall(r"\brepoctx_[a-z_]+", OPERATIONS.read_text(encoding="utf-8")))
    assert named - known == set()
    assert {one.name for one in families} == {name.removesuffix("_total").removesuffix("_bucket") for name in named}


def test_every_exit_code_is_listed():
    """Those of errors, of success, and of a worker that gives up."""

    def codes(kind: type[RepoctxError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    _, _, table = OPERATIONS.read_text(encoding="utf-8").partition("## Exit codes\n")
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)} == {0, 75} | codes(RepoctxError)


def test_the_image_begins_as_its_users_expect():
    """Compose and Kubernetes give arguments to its entry point, and its version is that of the package."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert yaml.safe_load(re.search(r"^ENTRYPOINT (.*)$", text, re.MULTILINE)[1]) == ENTRYPOINT
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert re.search(r"^ARG VERSION=(.*)$", text, re.MULTILINE)[1] == __version__
    tags = {one["newTag"] for _, root in manifests() for one in root.get("images", ())}
    assert tags == {__version__}


def test_the_image_holds_exactly_what_repoctx_needs():
    """Each dependency of its extras is pinned, to a version that pyproject.toml takes; nothing else is there."""
    text = (DEPLOY / "requirements.txt").read_text(encoding="utf-8")
    pins = dict(line.split("==") for line in text.splitlines() if line and not line.startswith("#"))
    needed = set(closure("repoctx", frozenset({"postgres", "cluster", "telemetry"}), set()))
    assert {name for name, _ in needed} == set(pins)
    assert [(name, pins[name]) for name, wanted in sorted(needed) if not Requirement(f"x{wanted}").specifier.contains(
        pins[name], prereleases=True)] == []  # fmt: skip


def closure(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> Iterator[tuple[str, str]]:
    """All that a distribution needs: names, and the versions that are asked for."""
    for text in metadata.distribution(name).requires or ():
        wanted = Requirement(text)
        if wanted.marker is not None and not any(wanted.marker.evaluate({"extra": one}) for one in {*extras, ""}):
            continue
        normal = re.sub(r"[-_.]+", "-", wanted.name).lower()
        yield normal, str(wanted.specifier)
        if (key := (normal, frozenset(wanted.extras))) not in seen:
            seen.add(key)
            yield from closure(normal, key[1], seen)


def test_every_grammar_is_pinned():
    """Their versions are part of the key of facts: a worker with others would index for itself alone."""
    text = (DEPLOY / "requirements.txt").read_text(encoding="utf-8")
    wanted = {row.grammar.replace("_", "-") for row in LANGUAGES.values() if row.grammar}
    assert {name for name in wanted if f"\n{name}==" not in text} == set()
