"""What integrations/ has for CI systems and GitOps controllers, run as they run it, against a real server."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integrations.clones import CLEAN, commit, git, make_clone
from tests.processes.installation import Installation, wait_until

pytestmark = [pytest.mark.processes, pytest.mark.once]
ROOT = Path(__file__).parents[2]
INTEGRATIONS = ROOT / "integrations"
SCRIPT = INTEGRATIONS / "report-deployment.sh"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The clone of a CI job: two commits, the first tagged v1."""
    path = make_clone(tmp_path / "clone")
    commit(path, "second", "b.txt")
    git(path, "remote", "add", "origin", "git@git.example.com:acme/backend.git")
    return path


def run(command: list[str], cwd: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=CLEAN | env, capture_output=True, text=True, check=False)


def deployments_of(installation: Installation, app: str) -> list[dict[str, Any]]:
    """Return the deployments of an application once there are any, and all jobs are done."""

    def done() -> Any:
        jobs = installation.get("/v1/jobs")["results"]
        if any(job["status"] in ("QUEUED", "RUNNING") for job in jobs):
            return None
        return installation.get(f"/v1/deployments?app={app}")["results"]

    found: list[dict[str, Any]] = wait_until(done, 30)
    return found


def load(path: str) -> Any:
    return yaml.safe_load((INTEGRATIONS / path).read_text())


@pytest.mark.parametrize(
    "path", sorted(INTEGRATIONS.rglob("*.y*ml")), ids=lambda path: str(path.relative_to(INTEGRATIONS))
)
def test_every_document_is_yaml_without_a_key_twice(path: Path) -> None:
    class Strict(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            mapping = super().construct_mapping(node, deep)
            assert len(mapping) == len(node.value), f"{path} has a key twice at {node.start_mark}"
            return mapping

    assert all(yaml.load_all(path.read_text(), Strict))  # a safe loader


class TestGithubAction:
    """The step of the composite action, in the bash that GitHub starts."""

    step = load("github-action/action.yml")["runs"]["steps"][0]
    inputs = load("github-action/action.yml")["inputs"]

    def run(self, clone: Path, **given: str) -> tuple[subprocess.CompletedProcess[str], str, str]:
        """Run the step with inputs, and return how it ended, its outputs and its summary."""
        values = {name: given.pop(name, about.get("default", "")) for name, about in self.inputs.items()}
        assert not given
        env = {
            name: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda found: values[found[1]], text)
            for name, text in self.step["env"].items()
        }
        output, summary, script = (clone.parent / name for name in ("output", "summary", "step.sh"))
        for file in (output, summary):
            file.write_text("")
        script.write_text(self.step["run"])
        env |= {
            "GITHUB_ACTION_PATH": str(INTEGRATIONS / "github-action"),
            "GITHUB_ACTOR": "ada",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_REF_NAME": "main",
            "GITHUB_REF_TYPE": "branch",
            "GITHUB_REPOSITORY": "acme/backend",
            "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_RUN_ID": "1658821493",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_STEP_SUMMARY": str(summary),
        }
        done = run(["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)], clone, env)
        return done, output.read_text(), summary.read_text()

    def test_it_reports_with_all_that_it_is_given(self, installation: Installation, clone: Path) -> None:
        done, output, summary = self.run(
            clone, url=installation.url, **{"api-key": installation.key}, app="action", environment="production",
            version="v2", description='says "hi"', **{"monorepo-path": "./shop/", "fixes-version": "v1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        (deployment,) = deployments_of(installation, "action")
        assert (deployment["version"], deployment["state"]) == ("v2", "success")
        assert deployment["commitHash"] == git(clone, "rev-parse", "HEAD")
        assert (deployment["author"], deployment["monorepoPath"]) == ("ada", "shop")
        assert deployment["description"] == 'says "hi"'
        assert deployment["logUrl"] == "https://github.com/acme/backend/actions/runs/1658821493"
        outputs = dict(line.split("=", 1) for line in output.splitlines())
        assert outputs["job"] == installation.get("/v1/jobs")["results"][0]["id"]
        assert outputs["link"] == f"{installation.url}/jobs/{outputs['job']}/"
        assert summary == f"Reported `action` in `production` to Slipway: [job]({outputs['link']}).\n"

    def test_nothing_that_it_is_given_is_a_command(self, installation: Installation, clone: Path) -> None:
        name = '$(touch broken)`touch broken`";touch broken;"\'\n[x](y)'
        given = {field: name for field in self.inputs if field in ("app", "environment", "description", "author")}
        done, _, summary = self.run(clone, url=installation.url, **{"api-key": installation.key}, **given)
        assert done.returncode == 0, done.stderr
        assert not (clone / "broken").exists()
        assert summary.count("\n") == 1

    def test_no_input_stands_in_the_text_of_the_script(self) -> None:
        assert "${{" not in self.step["run"]
        assert set(re.findall(r"inputs\.([a-z-]+)", json.dumps(self.step["env"]))) == set(self.inputs)

    def test_the_outputs_are_those_that_the_step_has(self) -> None:
        outputs = load("github-action/action.yml")["outputs"]
        assert {name: about["value"] for name, about in outputs.items()} == {
            name: f"${{{{ steps.{self.step['id']}.outputs.{name} }}}}" for name in ("job", "link")
        }

    def test_a_second_call_in_the_same_run_is_no_error(self, installation: Installation, clone: Path) -> None:
        given = {"url": installation.url, "api-key": installation.key, "app": "twice", "environment": "production"}
        for _ in range(2):
            done, *_ = self.run(clone, **given)
            assert done.returncode == 0, done.stderr
            assert len(deployments_of(installation, "twice")) == 1

    def test_a_refused_report_fails_the_step(self, installation: Installation, clone: Path) -> None:
        given = {"url": installation.url, "api-key": "wrong", "app": "action", "environment": "production"}
        done, output, _ = self.run(clone, **given)
        assert done.returncode == 3
        assert "401" in done.stderr
        assert output == ""

    def test_of_what_was_cancelled_nothing_is_reported(self, clone: Path) -> None:
        done, output, _ = self.run(clone, state="cancelled")
        assert (done.returncode, output) == (0, "")


class TestGitlabTemplate:
    """The after_script of the hidden job, by the shell of a small image."""

    job = load("gitlab/slipway.gitlab-ci.yml")[".slipway-report"]

    def run(self, installation: Installation, clone: Path, status: str, **variables: str) -> str:
        """Run it with the variables of a job, and return what it said."""
        predefined = {
            "CI_COMMIT_SHA": git(clone, "rev-parse", "HEAD"),
            "CI_ENVIRONMENT_NAME": "production",
            "CI_JOB_ID": f"77{status}",
            "CI_JOB_STATUS": status,
            "CI_JOB_URL": "https://gitlab.example.com/acme/shop/backend/-/jobs/77",
            "CI_PROJECT_NAME": "backend",
            "CI_PROJECT_PATH": "acme/shop/backend",
            "GITLAB_USER_LOGIN": "ada",
            "SLIPWAY_API_KEY": installation.key,
            "SLIPWAY_URL": installation.url,
        }
        env = dict(predefined)
        for name, text in (self.job["variables"] | variables).items():
            env[name] = re.sub(r"\$(\w+)", lambda found: predefined.get(found[1], ""), text)
        (clone / "report-deployment.sh").write_text(SCRIPT.read_text())
        done = run(["dash", "-e", "-c", "\n".join(self.job["after_script"])], clone, env)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @pytest.mark.parametrize(("status", "state"), [("success", "success"), ("failed", "failure")])
    def test_a_job_that_ended_is_reported(
        self, installation: Installation, clone: Path, status: str, state: str
    ) -> None:
        self.run(installation, clone, status, SLIPWAY_APP=f"gitlab-{status}")
        (deployment,) = deployments_of(installation, f"gitlab-{status}")
        assert (deployment["state"], deployment["environment"]) == (state, "production")
        assert deployment["repositoryFullName"] == "acme/shop/backend"
        assert (deployment["author"], deployment["logUrl"][-2:]) == ("ada", "77")

    def test_the_application_is_the_project_unless_the_job_says_otherwise(
        self, installation: Installation, clone: Path
    ) -> None:
        self.run(installation, clone, "success")
        assert deployments_of(installation, "backend")

    def test_of_what_was_cancelled_nothing_is_reported(self, installation: Installation, clone: Path) -> None:
        assert "nothing is reported" in self.run(installation, clone, "canceled", SLIPWAY_APP="never")


class TestJenkinsStep:
    """The shell of the step, with the variables that withEnv and withCredentials set."""

    source = (INTEGRATIONS / "jenkins/vars/reportDeployment.groovy").read_text()

    def test_its_shell_reports(self, installation: Installation, clone: Path) -> None:
        (shell,) = re.findall(r"script: '([^']*)'", self.source)
        env = {
            "SLIPWAY_SCRIPT": str(SCRIPT),
            "SLIPWAY_URL": installation.url,
            "SLIPWAY_API_KEY": installation.key,
            "SLIPWAY_APP": "jenkins",
            "SLIPWAY_ENVIRONMENT": "production",
            "SLIPWAY_STATE": "success",
            "SLIPWAY_VERSION": "",
            "BUILD_TAG": "jenkins-deploy-17",
            "BUILD_URL": "https://jenkins.example.com/job/deploy/17/",
        }
        done = run(["dash", "-xe", "-c", shell], clone, env)
        assert done.returncode == 0, done.stderr
        (deployment,) = deployments_of(installation, "jenkins")
        assert deployment["repositoryFullName"] == "acme/backend"
        assert deployment["logUrl"].endswith("/job/deploy/17/")

    def test_the_script_knows_every_variable_that_the_step_sets(self) -> None:
        for name in set(re.findall(r"'(SLIPWAY_[A-Z_]+)'", self.source)):
            assert name in SCRIPT.read_text()

    def test_nothing_is_put_into_the_text_of_the_shell(self) -> None:
        assert re.findall(r"script: (.)", self.source) == ["'"]


def curl(method: str, address: str, headers: dict[str, str], body: str) -> int:
    """Send a request as a controller does, and return the status of the answer."""
    named = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", method, *named, "--data", "@-", address]
    done = subprocess.run(command, input=body, capture_output=True, text=True, check=True)
    return int(done.stdout)


class TestArgoCd:
    """The templates, rendered by as much of Go's templates as they use, and sent as the service says."""

    data = load("argocd/slipway-notifications.yaml")["data"]

    def send(self, installation: Installation, template: str, app: dict[str, Any]) -> int:
        service = yaml.safe_load(self.data["service.webhook.slipway"])
        request = yaml.safe_load(self.data[f"template.{template}"])["webhook"]["slipway"]
        headers = {
            header["name"]: header["value"].replace("$slipway-api-key", installation.key)
            for header in service["headers"]
        }
        assert service["url"] == "https://slipway.example.com"
        body = re.sub(r"\{\{(.*?)\}\}", lambda found: _evaluate(found[1], app), request["body"])
        return curl(request["method"], installation.url + request["path"], headers, body)

    def application(self, name: str, revision: str = "1" * 40, **annotations: str) -> dict[str, Any]:
        return {
            "metadata": {
                "name": name,
                "annotations": {f"slipway/{key}": value for key, value in annotations.items()} or None,
            },
            "spec": {
                "source": {"repoURL": "https://git.example.com/acme/gitops.git"},
                "destination": {"namespace": "production"},
            },
            "status": {
                "operationState": {"finishedAt": "2026-03-02T12:00:00Z", "syncResult": {"revision": revision}}
            },
        }

    def test_a_sync_that_degrades_is_one_deployment_that_failed(self, installation: Installation) -> None:
        app = self.application("argo")
        for template, state in (("slipway-deployed", "success"), ("slipway-failed", "failure")):
            assert self.send(installation, template, app) == 202
            (deployment,) = deployments_of(installation, "argo")
            assert deployment["state"] == state
        assert (deployment["repositoryFullName"], deployment["environment"]) == ("acme/gitops", "production")
        assert (deployment["version"], deployment["commitHash"]) == ("1" * 12, "1" * 40)
        assert deployment["deployedAt"] == "2026-03-02T12:00:00Z"

    def test_annotations_say_whose_code_it_is(self, installation: Installation) -> None:
        told = {"repository": "acme/backend", "commit": "2" * 40, "version": "v1.4.2", "environment": 'a "b"'}
        assert self.send(installation, "slipway-deployed", self.application("x", app="annotated", **told)) == 202
        (deployment,) = deployments_of(installation, "annotated")
        assert (deployment["repositoryFullName"], deployment["commitHash"]) == ("acme/backend", "2" * 40)
        assert (deployment["version"], deployment["environment"]) == ("v1.4.2", 'a "b"')

    def test_every_trigger_sends_a_template_that_there_is(self) -> None:
        triggers = {name: yaml.safe_load(text) for name, text in self.data.items() if name.startswith("trigger.")}
        sent = {template for conditions in triggers.values() for one in conditions for template in one["send"]}
        assert {f"template.{name}" for name in sent} == {name for name in self.data if name.startswith("template.")}
        (subscription,) = yaml.safe_load(self.data["subscriptions"])
        assert {f"trigger.{name}" for name in subscription["triggers"]} == set(triggers)


def _evaluate(pipeline: str, app: dict[str, Any]) -> str:
    """Return what a pipeline of Go's text/template comes to, with the functions of Sprig that are used here."""
    tokens = re.findall(r'"[^"]*"|[()|]|[^\s()|]+', pipeline)
    value = _pipeline(tokens, {"app": app, "repo": {"FullNameByRepoURL": _full_name}})
    assert not tokens
    return str(value)


def _pipeline(tokens: list[str], root: dict[str, Any]) -> Any:
    """Take tokens up to a closing bracket; each command has the value of the one before it as its last argument."""
    value: list[Any] = []
    while tokens:
        function = _FUNCTIONS.get(tokens[0])
        if function is not None:
            tokens.pop(0)
        words = []
        while tokens and tokens[0] not in ("|", ")"):
            words.append(_operand(tokens, root))
        value = [function(*words, *value)] if function is not None else words
        if not tokens or tokens.pop(0) == ")":
            break
    return value[0]


def _operand(tokens: list[str], root: dict[str, Any]) -> Any:
    token = tokens.pop(0)
    if token == "(":
        return _pipeline(tokens, root)
    if token[0] == '"':
        return token[1:-1]
    if token[0] != ".":
        return int(token) if token.isdigit() else _FUNCTIONS[token]()
    value: Any = root
    for name in token[1:].split("."):
        value = value.get(name)
    return value


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "call": lambda function, *arguments: function(*arguments),
    "default": lambda default, given: given or default,
    "dict": dict,
    "index": lambda mapping, key: mapping.get(key),
    "toJson": json.dumps,
    "trunc": lambda length, text: text[:length],
}


def _full_name(url: str) -> str:
    return "/".join(url.removesuffix(".git").split("/")[-2:])


class TestFlux:
    """An event as Flux documents it, sent as its Provider and Secret say."""

    secret, provider, alert = yaml.safe_load_all((INTEGRATIONS / "flux/slipway-notifications.yaml").read_text())

    def send(self, installation: Installation, **changes: Any) -> int:
        event = {
            "involvedObject": {
                "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
                "kind": "Kustomization",
                "name": "flux",
                "namespace": "apps",
                "uid": "7d0cdc51-ddcf-4743-b223-83ca5c699632",
            },
            "metadata": {"revision": f"main@sha1:{'3' * 40}"} | self.alert["spec"]["eventMetadata"],
            "severity": "info",
            "reason": "Progressing",
            "message": "Health check passed in 5.02s",
            "reportingController": "kustomize-controller",
            "reportingInstance": "kustomize-controller-7c7b47f5f-8bhrp",
            "timestamp": "2026-03-02T12:00:00Z",
            **changes,
        }
        written = yaml.safe_load(self.secret["stringData"]["headers"])
        headers = {name: text.replace("SLIPWAY_API_KEY", installation.key) for name, text in written.items()}
        headers |= {"Content-Type": "application/json", "Gotk-Component": "kustomize-controller"}
        address = self.provider["spec"]["address"].replace("https://slipway.example.com", installation.url)
        return curl("POST", address, headers, json.dumps(event))

    def test_a_rollout_is_one_deployment(self, installation: Installation) -> None:
        for message, state in (("Deployment/apps/api configured", "in_progress"), ("Health check passed", "success")):
            assert self.send(installation, message=message) == 202
            (deployment,) = deployments_of(installation, "flux")
            assert deployment["state"] == state
        assert (deployment["repositoryFullName"], deployment["environment"]) == ("acme/backend", "production")
        assert deployment["commitHash"] == "3" * 40
        assert self.send(installation) == 200, "and nothing new afterwards"

    def test_the_documents_refer_to_one_another(self) -> None:
        assert self.provider["spec"]["secretRef"]["name"] == self.secret["metadata"]["name"]
        assert self.alert["spec"]["providerRef"]["name"] == self.provider["metadata"]["name"]
