// The files in conf/examples/kubernetes and conf/examples/compose: of the published schemas, and true to each other
// and to the image. Settings that they name exist. // CW_PROGRAM names the program.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const root = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");
const program = process.env.CW_PROGRAM;
const settings = execFileSync(program, ["help", "settings"], { encoding: "utf8" });
const containerfile = read("packaging/container/Containerfile");

const folder = "conf/examples/kubernetes/";
const manifests = readdirSync(new URL(folder, root))
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => ({ name, manifest: parse(read(folder + name)) }));
const of = (kind) => manifests.find(({ manifest }) => manifest.kind === kind).manifest;

const isSetting = (name) => new RegExp(`\\b${name}\\b`).test(settings);

for (const { name, manifest } of manifests)
  test(`${name} keeps its schema`, async () => {
    const { [manifest.kind]: Model } = await import(`kubernetes-models/${manifest.apiVersion}`);
    new Model(manifest).validate();
  });

test("a manifest with a mistake is found", async () => {
  const { Deployment } = await import("kubernetes-models/apps/v1");
  const wrong = structuredClone(of("Deployment"));
  wrong.spec.template.spec.containers[0].readinessProbe.httpGet.port = { name: "http" };
  assert.throws(() => new Deployment(wrong).validate());
});

test("pods are what the service, the policy and the budget select", () => {
  const pod = of("Deployment").spec.template;
  const [container] = pod.spec.containers;
  const labels = Object.entries(pod.metadata.labels).join();
  assert.equal(Object.entries(of("Deployment").spec.selector.matchLabels).join(), labels);
  assert.equal(Object.entries(of("Service").spec.selector).join(), labels);
  assert.equal(Object.entries(of("PodDisruptionBudget").spec.selector.matchLabels).join(), labels);
  assert.equal(Object.entries(of("NetworkPolicy").spec.podSelector.matchLabels).join(), labels);
  assert.equal(of("Service").spec.ports[0].targetPort, container.ports[0].name);
  assert.ok(of("NetworkPolicy").spec.ingress[0].ports.some(({ port }) => port === container.ports[0].containerPort));
  assert.equal(pod.spec.volumes[0].secret.secretName, of("Secret").metadata.name);
});

test("pods run as the image does", () => {
  const { spec } = of("Deployment").spec.template;
  const user = `${spec.securityContext.runAsUser}:${spec.securityContext.runAsGroup}`;
  assert.match(containerfile, new RegExp(`^USER ${user}$`, "m"));
  assert.match(containerfile, new RegExp(`^EXPOSE ${spec.containers[0].ports[0].containerPort}$`, "m"));
});

test("a pod may serve on until nobody sends it anything", () => {
  const { spec } = of("Deployment").spec.template;
  const lameDuck = Number(spec.containers[0].env.find(({ name }) => name.endsWith("LAME_DUCK_S")).value);
  const probe = spec.containers[0].readinessProbe;
  assert.ok(lameDuck > probe.periodSeconds * probe.failureThreshold);
  assert.ok(spec.terminationGracePeriodSeconds > lameDuck + 3 + 15);
});

test("every variable is a setting", () => {
  const compose = parse(read("conf/examples/compose/compose.yaml"), { merge: true });
  const names = [
    ...of("Deployment").spec.template.spec.containers[0].env.map(({ name }) => name),
    ...Object.keys(compose.services["node-a"].environment),
    ...[...containerfile.matchAll(/^ENV (\w+)=/gm)].map(([, name]) => name),
  ];
  for (const name of names) assert.ok(isSetting(name), name);
});

test("compose names what it has", () => {
  const compose = parse(read("conf/examples/compose/compose.yaml"), { merge: true });
  for (const [name, service] of Object.entries(compose.services)) {
    for (const secret of service.secrets ?? []) assert.ok(compose.secrets[secret], `${name}: ${secret}`);
    for (const network of service.networks) assert.ok(network in compose.networks, `${name}: ${network}`);
    for (const other of Object.keys(service.depends_on ?? {}))
      assert.ok(compose.services[other].healthcheck ?? compose.services[other].image === "cachewarden", other);
    for (const volume of service.volumes ?? [])
      assert.ok(volume.startsWith("./") || volume.split(":")[0] in compose.volumes, `${name}: ${volume}`);
  }
  const balancer = read("conf/examples/compose/haproxy.cfg");
  for (const node of ["node-a", "node-b"]) assert.match(balancer, new RegExp(`^\\s+server \\w+ ${node}:8000$`, "m"));
});

test("HAProxy takes its configuration", () => {
  const file = fileURLToPath(new URL("conf/examples/compose/haproxy.cfg", root));
  const path = `${process.env.PATH}:/usr/sbin`;
  execFileSync("haproxy", ["-c", "-q", "-f", file], { env: { ...process.env, PATH: path } });
});
