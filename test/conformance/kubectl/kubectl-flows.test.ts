import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CredentialKind } from '../../helpers/api-server-lab.ts';
import { type ControlPlaneLab, startControlPlaneLab } from '../../helpers/control-plane-lab.ts';
import { exceptionOf } from './flow-exceptions.ts';
import suite from './flows.json' with { type: 'json' };
import { type KubectlBinary, kubectlBinaries, NO_KUBECTL } from './kubectl-binaries.ts';

const EDITOR = `#!/bin/sh\nsed -i 's/^  b: .*/  b: "edited"/' "$1"\n`;
const binaries = kubectlBinaries();

interface Run {
  readonly binary: KubectlBinary;
  readonly version: string;
  readonly credential: CredentialKind;
}

// Who asks makes a difference to the connection only: with the other credentials a few flows are enough.
const SHORT: ReadonlySet<string> = new Set(['Discovery and server']);
const runs: readonly Run[] = binaries.flatMap((binary, number) => {
  const { version } = binary;
  const by = (credential: CredentialKind): Run => ({ binary, version, credential });
  return number === 0 ? [by('certificate'), by('token'), by('http')] : [by('certificate')];
});

describe.skipIf(binaries[0] === NO_KUBECTL).each(runs)('kubectl $version by $credential', ({ binary, credential }) => {
  let lab: ControlPlaneLab;
  let folder: string;
  let ports: Readonly<Record<string, string>>;
  let target: Server;

  beforeAll(async () => {
    lab = await startControlPlaneLab();
    folder = prepareFolder(binary, lab.api.kubeconfig(credential));
    target = createServer((_request, response) => response.end('ok\n'));
    await once(target.listen(0, '127.0.0.1'), 'listening');
    const [proxy, service, pod] = await freePorts(3);
    ports = { '18080': String(portOf(target)), '18997': String(proxy), '18998': String(service), '18999': String(pod) };
  });
  afterAll(async () => {
    target?.close();
    await lab?.[Symbol.asyncDispose]();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  for (const flow of suite.flows) {
    const exception = exceptionOf(flow.name, binary.minor);
    if (credential !== 'certificate' && !SHORT.has(flow.section)) continue;
    const title = `${flow.section}: ${flow.name}: ${flow.expected}`;
    if (exception?.type === 'skip') {
      test.skip(`${title} [${exception.because}]`);
      continue;
    }
    test(title, async () => {
      const { exit, match } = { ...flow, ...exception?.instead };
      const { code, output } = await run(withPorts(flow.command, ports), folder);
      expect(output).toMatch(new RegExp(match, 'm'));
      expect(code, output).toBe(exit);
    });
  }

  test('nothing went wrong inside', () => {
    expect(lab.failures).toEqual([]);
  });
});

function withPorts(command: string, ports: Readonly<Record<string, string>>): string {
  return command.replace(/\b(18080|18997|18998|18999)\b/g, (port) => ports[port]!);
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map(portOf);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

function prepareFolder(binary: KubectlBinary, kubeconfig: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'towtank-kubectl-'));
  for (const [name, text] of Object.entries(suite.fixtures)) {
    mkdirSync(join(folder, dirname(name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  for (const name of ['bin', 'work', 'home']) mkdirSync(join(folder, name));
  symlinkSync(binary.path, join(folder, 'bin', 'kubectl'));
  writeFileSync(join(folder, 'kubeconfig'), kubeconfig, { mode: 0o600 });
  writeFileSync(join(folder, 'editor'), EDITOR, { mode: 0o755 });
  return folder;
}

function run(command: string, folder: string): Promise<{ readonly code: number; readonly output: string }> {
  const env = {
    PATH: `${join(folder, 'bin')}:${process.env['PATH']}`,
    HOME: join(folder, 'home'),
    KUBECONFIG: join(folder, 'kubeconfig'),
    KUBE_EDITOR: join(folder, 'editor'),
  };
  const script = `exec 2>&1; ${command}`.replaceAll('WORK', join(folder, 'work'));
  return new Promise((resolve) => {
    execFile('bash', ['-c', script], { cwd: folder, env, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : 124) : 0;
      resolve({ code, output: `${stdout}${stderr}`.trim() });
    });
  });
}
