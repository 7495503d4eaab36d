// The calls of the two most used deployment actions, in their order and with their parameters.
import assert from "node:assert/strict";
import { Octokit } from "@octokit/rest";

const { rest } = new Octokit({ baseUrl: process.env.BASE_URL, auth: process.env.TOKEN, log: { ...console, warn() {} } });
const sha = "89abcdef0123456789abcdef0123456789abcdef";
const ref = "refs/heads/main";

async function newestState(where, deployment_id) {
  const answer = await rest.repos.listDeploymentStatuses({ ...where, deployment_id, per_page: 1 });
  return answer.data[0].state;
}

// chrnorm/deployment-action, then chrnorm/deployment-status: a ref that nobody told of, with the hash beside it.
const chrnorm = { owner: "acme", repo: "chrnorm" };
const log_url = "https://ci.example/acme/chrnorm/commit/checks";
const deployment = await rest.repos.createDeployment({
  ...chrnorm, ref, sha, required_contexts: [], environment: "production", transient_environment: false, auto_merge: false,
  description: "", task: "deploy", payload: {}, production_environment: true,
});
assert.equal(deployment.status, 201);
assert.ok("id" in deployment.data);
assert.equal(deployment.data.sha, sha);
const one = { ...chrnorm, deployment_id: deployment.data.id };
await rest.repos.createDeploymentStatus({ ...one, state: "pending", log_url, environment_url: log_url });
await rest.repos.createDeploymentStatus({
  ...one, state: "success", log_url, description: "", environment_url: "", auto_inactive: false,
});
assert.equal(await newestState(chrnorm, one.deployment_id), "success");

// bobheadxi/deployments: start and finish, both of which first set all that is in the environment inactive.
const bobheadxi = { owner: "acme", repo: "bobheadxi" };
const environment = "review-7";

async function deactivate() {
  const found = await rest.repos.listDeployments({ ...bobheadxi, environment, per_page: 100 });
  for (const row of found.data) {
    await rest.repos.createDeploymentStatus({ ...bobheadxi, deployment_id: row.id, state: "inactive" });
  }
  return found.data;
}

async function start() {
  const started = await rest.repos.createDeployment({
    ...bobheadxi, ref: sha, task: undefined, required_contexts: [], environment, description: undefined, auto_merge: false,
    transient_environment: true, payload: undefined,
  });
  assert.equal(started.status, 201);
  const deployment_id = started.data.id;
  await rest.repos.createDeploymentStatus({
    ...bobheadxi, deployment_id, state: "in_progress", log_url, description: undefined, ref: sha,
  });
  return deployment_id;
}

async function finish(deployment_id) {
  await deactivate();
  await rest.repos.createDeploymentStatus({
    ...bobheadxi, deployment_id, state: "success", description: undefined, ref: sha,
    environment_url: "https://review-7.example", log_url, auto_inactive: true,
  });
}

// The repository has to be there before anything is listed: on GitHub it is.
const first = await start();
await finish(first);
await deactivate();
const second = await start();
await finish(second);
assert.equal(await newestState(bobheadxi, first), "inactive");
assert.equal(await newestState(bobheadxi, second), "success");

// Its deactivate-env and delete-env.
for (const row of await deactivate()) {
  assert.equal((await rest.repos.deleteDeployment({ ...bobheadxi, deployment_id: row.id })).status, 204);
}
assert.deepEqual((await rest.repos.listDeployments({ ...bobheadxi, environment })).data, []);
const gone = await rest.repos.deleteAnEnvironment({ ...bobheadxi, environment_name: environment });
assert.equal(gone.status, 204);
