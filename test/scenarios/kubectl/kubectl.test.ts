import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, createCluster } from '../../../src/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'tt-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const onPath = spawnSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' }).stdout.trim();
const binaries = [...(onPath ? [onPath] : []), ...(process.env['KUBECTL'] ?? '').split(':').filter(Boolean)];

const WEB = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: agnhost, args: [netexec, --http-port=8080], ports: [{containerPort: 8080}]}]
`;

const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.tow.example.com}
spec:
  group: tow.example.com
  scope: Namespaced
  names: {plural: boats, kind: Boat}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Crew, type: integer, jsonPath: .spec.crew}]
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {crew: {type: integer, default: 2}}}}
`;

const BOAT = `
apiVersion: tow.example.com/v1
kind: Boat
metadata: {name: one}
spec: {}
`;

describe.skipIf(binaries.length === 0)('real kubectl [needs kubectl on the PATH, or KUBECTL=path:path]', () => {
  describe.each(binaries.length > 0 ? binaries : ['kubectl'])('%s', (kubectl) => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await createCluster({ nodes: 2, stateRoot: folder });
      writeFileSync(join(folder, 'web.yaml'), WEB);
    });
    afterAll(() => cluster?.down());

    function run(...words: readonly string[]): string {
      const env = { ...process.env, KUBECONFIG: cluster.kubeconfig, HOME: folder };
      const { status, stdout, stderr } = spawnSync(kubectl, words, { encoding: 'utf8', env, timeout: 30_000 });
      expect(status, `kubectl ${words.join(' ')}: ${stderr}`).toBe(0);
      return stdout;
    }

    it('speaks to the server over TLS with its own certificate', () => {
      expect(run('version', '-o', 'json')).toContain('"gitVersion": "v1.36');
      expect(run('get', 'nodes')).toMatch(/node-1 +Ready[\s\S]*node-2 +Ready/);
    });

    it('applies a Deployment, watches its rollout, and finds it unchanged the second time', () => {
      expect(run('apply', '-f', join(folder, 'web.yaml'))).toContain('deployment.apps/web created');
      expect(run('rollout', 'status', 'deployment/web', '--timeout=20s')).toContain('successfully rolled out');
      expect(run('apply', '-f', join(folder, 'web.yaml'))).toContain('deployment.apps/web unchanged');
    });

    it('exposes it, and the Service answers', async () => {
      run('expose', 'deployment', 'web', '--port=80', '--target-port=8080', '--type=NodePort');
      const nodePort = run('get', 'service', 'web', '-o', 'jsonpath={.spec.ports[0].nodePort}');
      await cluster.settled();
      expect((await cluster.outside.fetch(`http://172.18.0.2:${nodePort}/hostname`)).body).toMatch(/^web-/);
    });

    it('reaches Services, pods and kubelets through the API server', () => {
      const raw = (path: string): string => run('get', '--raw', path);
      expect(raw('/api/v1/namespaces/default/services/web:80/proxy/hostname')).toMatch(/^web-/);
      const pod = run('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[0].metadata.name}');
      expect(raw(`/api/v1/namespaces/default/pods/${pod}:8080/proxy/hostname`)).toBe(pod);
      expect(raw('/api/v1/nodes/node-1/proxy/healthz')).toBe('ok');
    });

    it('defines a kind, and keeps its objects valid', () => {
      writeFileSync(join(folder, 'definition.yaml'), DEFINITION);
      writeFileSync(join(folder, 'boat.yaml'), BOAT);
      expect(run('apply', '-f', join(folder, 'definition.yaml'))).toContain('created');
      run('wait', '--for=condition=Established', 'crd/boats.tow.example.com', '--timeout=20s');
      expect(run('apply', '-f', join(folder, 'boat.yaml'))).toContain('boat.tow.example.com/one created');
      expect(run('get', 'boats')).toMatch(/NAME +CREW\none +2/);
      run('delete', 'crd', 'boats.tow.example.com', '--timeout=20s');
    });

    it('scales it', () => {
      run('scale', 'deployment/web', '--replicas=3');
      run('rollout', 'status', 'deployment/web', '--timeout=20s');
      expect(run('get', 'pods', '-l', 'app=web', '-o', 'name').trim().split('\n')).toHaveLength(3);
    });

    it('runs a pod, reads its log and its description', () => {
      run('run', 'once', '--image=busybox', '--restart=Never', '--command', '--', 'sh', '-c', 'echo from the pod');
      run('wait', '--for=condition=Ready=false', 'pod/once', '--timeout=20s');
      expect(run('logs', 'once')).toBe('from the pod\n');
      expect(run('describe', 'pod', 'once')).toMatch(/Successfully assigned default\/once to node-[12]/);
    });

    it('runs a command in a pod', () => {
      const [pod = ''] = run('get', 'pods', '-l', 'app=web', '-o', 'name').split('\n');
      expect(run('exec', pod, '--', 'hostname').trim()).toBe(pod.replace('pod/', ''));
    });

    it('creates and deletes', () => {
      run('create', 'configmap', 'settings', '--from-literal=a=1');
      expect(run('get', 'configmap', 'settings', '-o', 'jsonpath={.data.a}')).toBe('1');
      expect(run('delete', 'deployment,service,configmap', 'web', 'settings', '--ignore-not-found')).toContain(
        'deleted',
      );
      expect(run('get', 'deployment', '-o', 'name')).toBe('');
    });
  });
});
