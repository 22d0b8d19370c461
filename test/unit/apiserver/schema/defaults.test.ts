import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../src/kube/resources.ts';
import { asJson, type FixtureKind, readFixture, schemaOf, withEmptyForNull } from '../../../helpers/go-fixtures.ts';

interface DefaultsCase {
  readonly kind: FixtureKind;
  readonly body: unknown;
  readonly defaulted: unknown;
}

const { cases } = readFixture<{ cases: DefaultsCase[] }>('defaults-and-protobuf.json');
const defaulted = (kind: FixtureKind, body: unknown): unknown => {
  const schema = schemaOf(kind);
  return asJson(schema.applyDefaults(schema.decodeValue(body).object));
};

describe('static defaults', () => {
  it.each(cases)('of $kind are those of the real server: $body', ({ kind, body, defaulted: theirs }) => {
    const ours = defaulted(kind, body);
    expect(ours).toEqual(withEmptyForNull(theirs, ours));
  });

  it('leave the object that they are asked for as it is', () => {
    const schema = schemaOf(['', 'v1', 'Service']);
    const { object } = schema.decodeValue({ spec: { ports: [{ port: 80 }] } });
    const before = structuredClone(object);
    expect(schema.applyDefaults(object)).not.toEqual(before);
    expect(object).toEqual(before);
  });

  it('applied twice are those applied once', () => {
    for (const { kind, body } of cases) {
      const once = defaulted(kind, body);
      expect(defaulted(kind, once)).toEqual(once);
    }
  });

  it.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.2', 'IfNotPresent'],
    ['registry.example:5000/a/nginx', 'Always'],
    [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
    ['Not An Image', 'IfNotPresent'],
  ])('pull %s %s', (image, imagePullPolicy) => {
    const pod = defaulted(['', 'v1', 'Pod'], { spec: { containers: [{ name: 'a', image }] } });
    expect(pod).toMatchObject({ spec: { containers: [{ imagePullPolicy }] } });
  });

  it('give the requests of a pod that limits itself what its containers ask for together', () => {
    const container = (name: string, cpu: string, more = {}) => ({ name, resources: { requests: { cpu } }, ...more });
    const pod = defaulted(['', 'v1', 'Pod'], {
      spec: {
        resources: { limits: { cpu: '4', memory: '1Gi' } },
        containers: [container('a', '500m'), container('b', '1')],
        initContainers: [container('sidecar', '200m', { restartPolicy: 'Always' }), container('init', '3')],
      },
    });
    expect(pod).toMatchObject({ spec: { resources: { requests: { cpu: '3200m', memory: '1Gi' } } } });
  });

  it('turn the texts of a Secret into bytes', () => {
    const secret = defaulted(['', 'v1', 'Secret'], {
      stringData: { a: 'ü' },
      data: { a: 'eA==', b: 'eQ==' },
    }) as KubeObject;
    expect(secret).toEqual({
      kind: 'Secret',
      apiVersion: 'v1',
      metadata: {},
      data: { a: 'w7w=', b: 'eQ==' },
      type: 'Opaque',
    });
  });
});
