import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApiServerLab, startApiServerLab } from '../../helpers/api-server-lab.ts';
import { runProgram } from '../../helpers/run-program.ts';
import { kubectlBinaries, NO_KUBECTL } from './kubectl-binaries.ts';

// The shapes of the Gateway API's Gateway in a few lines: keyed lists, rules in CEL, a status with a default, columns.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: quays.tow.example.com}
spec:
  group: tow.example.com
  scope: Namespaced
  names: {plural: quays, kind: Quay, shortNames: [qy], categories: [harbour]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.cranes, statusReplicasPath: .status.cranes}}
    selectableFields: [{jsonPath: .spec.className}]
    additionalPrinterColumns:
    - {name: Class, type: string, jsonPath: .spec.className}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    - {name: Berths, type: integer, jsonPath: '.spec.berths[0].length', priority: 1}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema:
      openAPIV3Schema:
        description: Quay is where ships lie.
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [className]
            x-kubernetes-validations:
            - {rule: self.className == oldSelf.className, message: className is immutable}
            properties:
              className: {type: string, minLength: 1, maxLength: 20, description: Which class of quay this is.}
              cranes: {type: integer, default: 1, minimum: 0}
              berths:
                type: array
                maxItems: 4
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                x-kubernetes-validations:
                - {rule: "self.all(a, self.exists_one(b, a.length == b.length))", message: Lengths must be unique}
                items:
                  type: object
                  required: [name, length]
                  properties:
                    name: {type: string, maxLength: 10}
                    length: {type: integer, minimum: 1, maximum: 400}
          status:
            type: object
            default: {conditions: [{type: Ready, status: Unknown}]}
            properties:
              cranes: {type: integer}
              conditions:
                type: array
                items: {type: object, properties: {type: {type: string}, status: {type: string}}}
`;

const quay = (berths: string, more = ''): string => `
apiVersion: tow.example.com/v1
kind: Quay
metadata: {name: north}
spec: {className: deep, berths: [${berths}]${more}}
`;

const binaries = kubectlBinaries();

describe.skipIf(binaries[0] === NO_KUBECTL).each([...binaries])(
  'custom resources with kubectl $version [needs kubectl on the PATH, or KUBECTL=path:path]',
  ({ path }) => {
    let lab: ApiServerLab;
    let folder: string;
    beforeAll(async () => {
      lab = await startApiServerLab();
      folder = mkdtempSync(join(tmpdir(), 'towtank-custom-'));
      writeFileSync(join(folder, 'kubeconfig'), lab.kubeconfig(), { mode: 0o600 });
    });
    afterAll(async () => {
      await lab?.[Symbol.asyncDispose]();
      if (folder) rmSync(folder, { recursive: true, force: true });
    });
    const kubectl = async (...args: readonly string[]): Promise<string> => {
      const paths = [`--kubeconfig=${join(folder, 'kubeconfig')}`, `--cache-dir=${join(folder, 'cache')}`];
      const { stdout, status } = await runProgram([path, ...paths, ...args]);
      return `${stdout.trimEnd()}\nexit ${status}`;
    };
    const withFile = (text: string, ...args: readonly string[]): Promise<string> => {
      const file = join(folder, 'manifest.yaml');
      writeFileSync(file, text);
      return kubectl(...args, '-f', file);
    };

    test('a definition is applied and established', async () => {
      expect(await withFile(definition, 'apply')).toMatch(/created\nexit 0/);
      expect(
        await kubectl('wait', '--for=condition=Established', 'crd/quays.tow.example.com', '--timeout=30s'),
      ).toMatch(/condition met/);
    });

    test('its kind is discovered, explained and listed by category', async () => {
      expect(await kubectl('api-resources', '--api-group=tow.example.com')).toMatch(
        /quays +qy +tow.example.com\/v1 +true +Quay/,
      );
      expect(await kubectl('get', 'harbour')).toMatch(/No resources found/);
    });

    test('an object is applied, with its defaults, and shown in its columns', async () => {
      expect(await withFile(quay('{name: a, length: 100}'), 'apply')).toMatch(/quay.tow.example.com\/north created/);
      expect(await kubectl('get', 'qy')).toMatch(/NAME +CLASS +READY +AGE\nnorth +deep +Unknown +\d+s/);
      expect(await kubectl('get', 'qy', '-o', 'wide')).toMatch(/north +deep +Unknown +100 +\d+s/);
      expect(await kubectl('get', 'quay', 'north', '-o', 'jsonpath={.spec.cranes}')).toMatch(/^1\n/);
    });

    test('an invalid object is refused with the words of the real server', async () => {
      const refused = await withFile(quay('{name: b, length: 500}'), 'apply');
      expect(refused).toMatch(
        /spec.berths\[0\].length: Invalid value: 500: spec.berths\[0\].length in body should be less than or equal to 400/,
      );
      expect(await withFile(quay('{name: a, length: 9}, {name: b, length: 9}'), 'apply')).toMatch(
        /The Quay "north" is invalid: spec.berths: Invalid value: Lengths must be unique\nexit 1/,
      );
      const patch = '{"spec":{"className":"shallow"}}';
      expect(await kubectl('patch', 'quay', 'north', '--type=merge', '-p', patch)).toMatch(
        /The Quay "north" is invalid: spec: Invalid value: className is immutable\nexit 1/,
      );
    });

    test('an unknown field is refused, or dropped with a warning', async () => {
      const patch = ['patch', 'quay', 'north', '--type=merge', '-p', '{"spec":{"bogus":1}}'];
      expect(await kubectl(...patch)).toMatch(/unknown field "spec.bogus"/);
      expect(await kubectl('get', 'quay', 'north', '-o', 'jsonpath={.spec.bogus}')).toMatch(/^\nexit 0/);
    });

    test('status and scale are written apart', async () => {
      const body = JSON.stringify([
        { op: 'replace', path: '/status', value: { cranes: 1, conditions: [{ type: 'Ready', status: 'True' }] } },
        { op: 'replace', path: '/spec/cranes', value: 9 },
      ]);
      const answer = await fetch(`${lab.plainUrl}/apis/tow.example.com/v1/namespaces/default/quays/north/status`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json-patch+json' },
        body,
      });
      expect(answer.status).toBe(200);
      expect(await kubectl('get', 'qy')).toMatch(/north +deep +True/);
      expect(await kubectl('scale', 'quay/north', '--replicas=3')).toMatch(/scaled/);
      expect(await kubectl('get', 'quay', 'north', '-o', 'jsonpath={.spec.cranes} {.metadata.generation}')).toMatch(
        /^3 2\n/,
      );
    });

    test('keyed lists belong to those who applied their items', async () => {
      const server = ['apply', '--server-side', '--field-manager'];
      expect(await withFile(quay('{name: c, length: 30}'), ...server, 'harbourmaster', '--force-conflicts')).toMatch(
        /serverside-applied/,
      );
      expect(await withFile(quay('{name: d, length: 40}'), ...server, 'second')).toMatch(/serverside-applied/);
      expect(await kubectl('get', 'quay', 'north', '-o', 'jsonpath={.spec.berths[*].name}')).toMatch(/c d\n/);
      expect(await withFile(quay('{name: c, length: 31}'), ...server, 'second')).toMatch(
        /conflict with "harbourmaster".*: \.spec\.berths\[name="c"\]\.length/s,
      );
    });

    test('selectable fields select', async () => {
      expect(await kubectl('get', 'qy', '--field-selector', 'spec.className=deep', '-o', 'name')).toMatch(/north/);
      expect(await kubectl('get', 'qy', '--field-selector', 'spec.className=flat')).toMatch(/No resources found/);
      expect(await kubectl('get', 'qy', '--field-selector', 'spec.cranes=3')).toMatch(
        /field label not supported: spec.cranes/,
      );
    });

    test('a strategic patch is refused, as no custom kind has merge keys', async () => {
      expect(await kubectl('patch', 'quay', 'north', '--type=strategic', '-p', '{"spec":{}}')).toMatch(
        /UnsupportedMediaType|strategic-merge-patch\+json is not supported/,
      );
    });

    test('with the definition everything goes', async () => {
      expect(await kubectl('delete', 'crd', 'quays.tow.example.com', '--timeout=30s')).toMatch(/deleted/);
      expect(await kubectl('get', 'quays')).toMatch(
        /(doesn't have a resource type|could not find the requested resource)/,
      );
    });
  },
);
