// Every call of the GitHub-style API, through Octokit with nothing but a base URL and a token.
import assert from "node:assert/strict";
import { Octokit } from "@octokit/rest";

const octokit = new Octokit({ baseUrl: process.env.BASE_URL, auth: process.env.TOKEN, log: { ...console, warn() {} } });
const here = { owner: "acme", repo: "octokit" };
const sha = "0123456789abcdef0123456789abcdef01234567";

async function refused(call, status, message) {
  await assert.rejects(call, (error) => {
    assert.equal(error.status, status);
    assert.match(error.message, message);
    return true;
  });
}

await refused(octokit.rest.repos.get(here), 404, /Not Found/);
const created = await octokit.rest.repos.createDeployment({
  ...here, ref: sha, environment: "staging", required_contexts: [], auto_merge: false, payload: { app: "web" },
  description: "By Octokit", production_environment: false,
});
assert.equal(created.status, 201);
assert.equal(typeof created.data.id, "number");
assert.deepEqual(created.data.payload, { app: "web" });
assert.equal(created.headers.location, created.data.url);

const one = { ...here, deployment_id: created.data.id };
const status = await octokit.rest.repos.createDeploymentStatus({
  ...one, state: "success", log_url: "https://ci.example/1", environment_url: "https://staging.example",
  mediaType: { previews: ["ant-man", "flash"] },
});
assert.equal(status.status, 201);
assert.equal(status.data.target_url, "https://ci.example/1");
const shown = await octokit.rest.repos.getDeploymentStatus({ ...one, status_id: status.data.id });
assert.deepEqual(shown.data, status.data);
assert.equal((await octokit.rest.repos.getDeployment(one)).data.id, created.data.id);

for (let number = 0; number < 4; number += 1) {
  await octokit.rest.repos.createDeployment({ ...here, ref: sha, environment: "staging", required_contexts: [] });
}
const pages = [];
for await (const page of octokit.paginate.iterator(octokit.rest.repos.listDeployments, { ...here, per_page: 2 })) {
  pages.push(page.data.map((row) => row.id));
}
assert.deepEqual(pages.map((page) => page.length), [2, 2, 1]);
assert.equal(pages[2][0], created.data.id);
assert.deepEqual((await octokit.rest.repos.listDeployments({ ...here, environment: "nowhere" })).data, []);
const statuses = await octokit.paginate(octokit.rest.repos.listDeploymentStatuses, { ...one, per_page: 1 });
assert.deepEqual(statuses.map((row) => row.state), ["success"]);

await refused(octokit.rest.repos.deleteDeployment(one), 422, /We cannot delete an active deployment/);
await octokit.rest.repos.createDeploymentStatus({ ...one, state: "inactive" });
assert.equal((await octokit.rest.repos.deleteDeployment(one)).status, 204);
await refused(octokit.rest.repos.getDeployment(one), 404, /Not Found/);
await refused(
  octokit.rest.repos.createDeployment({ ...here, ref: "nowhere", required_contexts: [] }), 422, /No ref found for: nowhere/,
);
await refused(
  octokit.rest.repos.createDeploymentStatus({ ...here, deployment_id: pages[0][0], state: "success", description: "x".repeat(141) }),
  422, /description is too long \(maximum is 140 characters\)/,
);

assert.equal((await octokit.rest.repos.get(here)).data.full_name, "acme/octokit");
assert.equal((await octokit.rest.repos.getAllEnvironments(here)).data.total_count, 1);
const environment = { ...here, environment_name: "staging" };
assert.equal((await octokit.rest.repos.getEnvironment(environment)).data.name, "staging");
assert.equal((await octokit.rest.repos.deleteAnEnvironment(environment)).status, 204);
await refused(octokit.rest.repos.getEnvironment(environment), 404, /Not Found/);
const dispatch = { ...here, event_type: "on-demand", client_payload: { unit: false } };
assert.equal((await octokit.rest.repos.createDispatchEvent(dispatch)).status, 204);

assert.equal(typeof (await octokit.rest.users.getAuthenticated()).data.login, "string");
assert.equal(typeof (await octokit.rest.rateLimit.get()).data.resources.core.remaining, "number");
assert.equal((await octokit.rest.meta.root()).status, 200);
assert.equal(typeof (await octokit.rest.meta.get()).data.installed_version, "string");
const again = { ...here, headers: { "if-none-match": (await octokit.rest.repos.get(here)).headers.etag } };
await refused(octokit.rest.repos.get(again), 304, /.*/);

const stranger = new Octokit({ baseUrl: process.env.BASE_URL, auth: "nobody", log: { ...console, warn() {} } });
await refused(stranger.rest.repos.get(here), 401, /Bad credentials/);
