// Cuts what the tests need out of GitHub's OpenAPI description, as npm's @octokit/openapi brings it.
//
//     node tests/data/github/refresh.mjs 23.0.2
//
// It writes advisories.openapi.json beside itself and takes about 45 MB in a temporary folder, which it removes. It needs node
// and npm, tar and the registry; the tests need none of them. Afterwards write the version into PROVENANCE.md and run the tests:
// what GitHub has changed shows there.
//
// Kept are the operations below and every schema they refer to. Removed are all prose (summaries, descriptions, titles,
// examples, links, vendor extensions) and response headers. Nothing else is changed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const OPERATIONS = {
  "/app": ["get"],
  "/app/installations/{installation_id}/access_tokens": ["post"],
  "/orgs/{org}/teams/{team_slug}": ["get"],
  "/rate_limit": ["get"],
  "/repos/{owner}/{repo}": ["get"],
  "/repos/{owner}/{repo}/installation": ["get"],
  "/repos/{owner}/{repo}/security-advisories": ["get", "post"],
  "/repos/{owner}/{repo}/security-advisories/{ghsa_id}": ["get", "patch"],
  "/user": ["get"],
  "/users/{username}": ["get"],
};
const PROSE = new Set(["description", "example", "examples", "externalDocs", "summary", "tags", "title"]);

const version = process.argv[2];
if (!/^\d+\.\d+\.\d+$/.test(version ?? "")) {
  console.error("usage: node refresh.mjs VERSION (of the npm package @octokit/openapi, such as 23.0.2)");
  process.exit(2);
}
const full = fetch(version);
const kept = new Map(); // "#/components/…" → its cut

const paths = {};
for (const [path, methods] of Object.entries(OPERATIONS)) {
  paths[path] = {};
  for (const method of methods) paths[path][method] = operation(full.paths[path][method]);
}
const components = {};
for (const reference of [...kept.keys()].sort()) {
  const [, , kind, name] = reference.split("/");
  (components[kind] ??= {})[name] = kept.get(reference);
}
write(join(dirname(fileURLToPath(import.meta.url)), "advisories.openapi.json"));

function fetch(version) {
  const folder = mkdtempSync(join(tmpdir(), "openapi-"));
  try {
    const pack = ["pack", `@octokit/openapi@${version}`, "--silent", "--pack-destination", folder];
    const archive = execFileSync("npm", pack, { cwd: folder, encoding: "utf8" }).trim();
    const file = "package/generated/api.github.com.json";
    execFileSync("tar", ["-xzf", join(folder, archive), "-C", folder, file]);
    return JSON.parse(readFileSync(join(folder, file), "utf8"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function operation({ operationId, parameters, requestBody, responses }) {
  const cut = { operationId, responses: {} };
  if (parameters) cut.parameters = parameters.map((parameter) => schema(parameter));
  if (requestBody) cut.requestBody = withContent(requestBody);
  for (const [status, response] of Object.entries(responses)) {
    cut.responses[status] = response.$ref ? schema(response) : { ...withContent(response), description: status };
  }
  return cut;
}

// A request body or a response: its content without examples and headers.
function withContent(object) {
  const cut = {};
  if ("required" in object) cut.required = object.required;
  if (!object.content) return cut;
  cut.content = {};
  for (const [type, media] of Object.entries(object.content)) cut.content[type] = { schema: schema(media.schema) };
  return cut;
}

// A schema, parameter or reference without prose. The names of properties are no keywords.
function schema(node) {
  if (Array.isArray(node)) return node.map(schema);
  if (node === null || typeof node !== "object") return node;
  if (node.$ref) {
    keep(node.$ref);
    return { $ref: node.$ref };
  }
  const cut = {};
  for (const [key, value] of Object.entries(node)) {
    if (PROSE.has(key) || key.startsWith("x-")) continue;
    if (key === "properties") {
      cut.properties = Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, schema(inner)]));
    } else {
      cut[key] = ["default", "enum", "required"].includes(key) ? value : schema(value);
    }
  }
  return cut;
}

function keep(reference) {
  if (kept.has(reference)) return;
  kept.set(reference, null);
  const [, , kind, name] = reference.split("/");
  const whole = full.components[kind][name];
  kept.set(reference, kind === "responses" ? { ...withContent(whole), description: name } : schema(whole));
}

// One operation or component a line, so that a refresh shows what changed.
function write(file) {
  const sorted = (node) => {
    if (Array.isArray(node)) return node.map(sorted);
    if (node === null || typeof node !== "object") return node;
    return Object.fromEntries(Object.keys(node).sort().map((key) => [key, sorted(node[key])]));
  };
  const lines = (object) =>
    Object.entries(sorted(object)).map(([name, inner]) => {
      const rows = Object.entries(inner).map(([key, value]) => `   ${JSON.stringify(key)}: ${JSON.stringify(value)}`);
      return `  ${JSON.stringify(name)}: {\n${rows.join(",\n")}\n  }`;
    });
  const info = JSON.stringify({ title: "GitHub repository security advisories (cut)", version });
  writeFileSync(
    file,
    `{\n "openapi": ${JSON.stringify(full.openapi)},\n "info": ${info},\n "servers": [{ "url": "https://api.github.com" }],\n` +
      ` "paths": {\n${lines(paths).join(",\n")}\n },\n "components": {\n${lines(components).join(",\n")}\n }\n}\n`,
  );
}
