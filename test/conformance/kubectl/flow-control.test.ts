import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { runProgram } from '../../helpers/run-program.ts';
import { kubectlBinaries, NO_KUBECTL } from './kubectl-binaries.ts';

const manifest = `
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: PriorityLevelConfiguration
metadata: {name: patient}
spec: {type: Limited, limited: {nominalConcurrencyShares: 7, limitResponse: {type: Queue, queuing: {queues: 8}}}}
---
apiVersion: flowcontrol.apiserver.k8s.io/v1
kind: FlowSchema
metadata: {name: reports}
spec:
  priorityLevelConfiguration: {name: patient}
  distinguisherMethod: {type: ByNamespace}
  rules:
  - subjects: [{kind: User, user: {name: reporter}}]
    resourceRules: [{verbs: [list], apiGroups: ["*"], resources: ["*"], namespaces: ["*"]}]
`;
const EDITOR = `#!/bin/sh\nsed -i 's/^  matchingPrecedence: .*/  matchingPrecedence: '"$PRECEDENCE"'/' "$1"\n`;
const START = [
  'exempt',
  'probes',
  'system-leader-election',
  'system-node-high',
  'system-nodes',
  'kube-controller-manager',
];
const binaries = kubectlBinaries();

describe.skipIf(binaries[0] === NO_KUBECTL).each([...binaries])(
  'priority and fairness with kubectl $version',
  ({ path }) => {
    let lab: ApiServerLab;
    let folder: string;
    beforeAll(async () => {
      lab = await startApiServerLab();
      folder = mkdtempSync(join(tmpdir(), 'towtank-flows-'));
      writeFileSync(join(folder, 'kubeconfig'), lab.kubeconfig(), { mode: 0o600 });
      writeFileSync(join(folder, 'manifest.yaml'), manifest);
      writeFileSync(join(folder, 'editor'), EDITOR, { mode: 0o755 });
    });
    afterAll(async () => {
      await lab?.[Symbol.asyncDispose]();
      if (folder) rmSync(folder, { recursive: true, force: true });
    });
    const withEnvironment = async (environment: readonly string[], args: readonly string[]): Promise<string> => {
      const paths = [`--kubeconfig=${join(folder, 'kubeconfig')}`, `--cache-dir=${join(folder, 'cache')}`];
      const { stdout, status } = await runProgram(['env', ...environment, path, ...paths, ...args]);
      return `${stdout.trimEnd()}\nexit ${status}`;
    };
    const kubectl = (...args: readonly string[]): Promise<string> => withEnvironment([], args);
    const edit = (precedence: number): Promise<string> =>
      withEnvironment(
        [`KUBE_EDITOR=${join(folder, 'editor')}`, `PRECEDENCE=${precedence}`],
        ['edit', 'flowschema', 'reports'],
      );

    test('flow schemas are shown in the order in which requests are matched', async () => {
      const lines = (await kubectl('get', 'flowschemas')).split('\n').map((line) => line.trim().split(/\s+/));
      expect(lines[0]).toEqual([
        'NAME',
        'PRIORITYLEVEL',
        'MATCHINGPRECEDENCE',
        'DISTINGUISHERMETHOD',
        'AGE',
        'MISSINGPL',
      ]);
      expect(lines.slice(1, 7).map(([name]) => name)).toEqual(START);
      expect(lines.at(-2)?.toSpliced(4, 1)).toEqual(['catch-all', 'catch-all', '10000', 'ByUser', 'False']);
    });

    test('priority levels are shown with their shares and queues', async () => {
      const text = await kubectl('get', 'prioritylevelconfigurations');
      expect(text).toMatch(/^NAME +TYPE +NOMINALCONCURRENCYSHARES +QUEUES +HANDSIZE +QUEUELENGTHLIMIT +AGE$/m);
      expect(text).toMatch(/^workload-low +Limited +100 +128 +6 +50 +\d+s$/m);
      expect(text).toMatch(/^exempt +Exempt +<none> +<none> +<none> +<none> +\d+s$/m);
    });

    test('own ones are applied, described, changed by an editor and deleted', async () => {
      const file = join(folder, 'manifest.yaml');
      expect(await kubectl('apply', '-f', file)).toMatch(/patient created\n.*reports created\nexit 0$/);
      const described = await kubectl('describe', 'flowschema', 'reports');
      expect(described).toMatch(/^ +Matching Precedence: +1000$/m);
      expect(described).toMatch(/^ +Message: +This FlowSchema references .* named "patient" and it exists$/m);
      expect(await kubectl('describe', 'prioritylevelconfiguration', 'patient')).toMatch(/^ +Hand Size: +8$/m);
      expect(await edit(555)).toMatch(/flowschema.flowcontrol.apiserver.k8s.io\/reports edited\nexit 0$/);
      expect(await kubectl('get', 'flowschema', 'reports')).toMatch(
        /^reports +patient +555 +ByNamespace +\d+s +False$/m,
      );
      expect(await kubectl('apply', '--server-side', '--force-conflicts', '-f', file)).toMatch(/exit 0$/);
      expect(await kubectl('delete', '-f', file)).toMatch(/"reports" deleted.*\nexit 0$/);
    });

    test('what is wrong is refused, and what is fixed stays as it is', async () => {
      const patch = ['--type=merge', '-p', '{"spec":{"matchingPrecedence":0}}'];
      expect(
        await kubectl('patch', 'flowschema', 'probes', '--type=merge', '-p', '{"spec":{"matchingPrecedence":-1}}'),
      ).toMatch(/spec.matchingPrecedence: Invalid value: -1: must be a positive value\nexit 1$/);
      expect(await kubectl('patch', 'flowschema', 'catch-all', ...patch)).toMatch(
        /spec of 'catch-all' must equal the fixed value\nexit 1$/,
      );
      expect(await kubectl('explain', 'flowschema.spec.rules')).toMatch(/resourceRules/);
    });
  },
);
