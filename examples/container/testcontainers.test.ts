// A cluster's network in a test, with Testcontainers: npm install --save-dev testcontainers vitest. Not run by towtank's own
// tests, which have no Docker; they check that it is TypeScript.
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, expect, test } from 'vitest';

let cluster: StartedTestContainer;

beforeAll(async () => {
  cluster = await new GenericContainer('towtank')
    .withAddedCapabilities('NET_ADMIN')
    .withCopyFilesToContainer([{ source: 'app.yaml', target: '/manifests/app.yaml' }])
    .withCommand(['up', '--foreground', '--join-host', '--api-port', '6443', '--apply', '/manifests/app.yaml'])
    .withExposedPorts(6443, 30080)
    .withWaitStrategy(Wait.forLogMessage(/is up: \d+ nodes/))
    .start();
}, 60_000);

afterAll(async () => {
  await cluster.stop();
});

test('the Service answers by name inside, and by node port outside', async () => {
  const { output } = await cluster.exec(['curl', '-sSf', 'http://web/hostname']);
  expect(output).toMatch(/^web-/);
  const response = await fetch(`http://${cluster.getHost()}:${cluster.getMappedPort(30080)}/hostname`);
  expect(await response.text()).toMatch(/^web-/);
});
