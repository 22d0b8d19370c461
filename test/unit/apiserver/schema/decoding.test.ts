import { describe, expect, it } from 'vitest';
import type { DecodedObject } from '../../../../src/apiserver/schema/contract.ts';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import {
  asJson,
  catalog,
  type FixtureKind,
  readFixture,
  schemaOf,
  withEmptyForNull,
} from '../../../helpers/go-fixtures.ts';

interface DecodingCase {
  readonly kind: FixtureKind;
  readonly body: string;
  readonly error?: string;
  readonly fieldErrors?: readonly string[];
  readonly object?: unknown;
}

const { cases } = readFixture<{ cases: DecodingCase[] }>('decoding.json');
const service = schemaOf(['', 'v1', 'Service']);

function refusal(decode: () => DecodedObject): ApiStatusError {
  try {
    decode();
  } catch (error) {
    if (error instanceof ApiStatusError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

describe('a JSON body', () => {
  it.each(cases.filter(({ error }) => error !== undefined))(
    'is refused in the words of the real server: $body',
    ({ kind, body, error }) => {
      const refused = refusal(() => schemaOf(kind).decode(Buffer.from(body), 'json'));
      expect(refused.message).toBe(error);
      expect(refused.status).toBe(400);
    },
  );

  it.each(cases.filter(({ error }) => error === undefined))(
    'is decoded as the real server does it: $body',
    ({ kind, body, fieldErrors, object }) => {
      const decoded = schemaOf(kind).decode(Buffer.from(body), 'json');
      expect(decoded.fieldErrors).toEqual(fieldErrors ?? []);
      expect(decoded.warnings).toEqual(fieldErrors ?? []);
      if (object !== undefined)
        expect(asJson(decoded.object)).toEqual(withEmptyForNull(object, asJson(decoded.object)));
    },
  );

  it('keeps names of the prototype as names', () => {
    const body = Buffer.from('{"metadata":{"labels":{"__proto__":"a","constructor":"b"}},"__proto__":{"x":1}}');
    const { object, fieldErrors } = service.decode(body, 'json');
    expect(Object.entries(object.metadata?.labels ?? {})).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(fieldErrors).toEqual(['unknown field "__proto__"']);
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  it('tells at most a hundred field errors, each once', () => {
    const unknown = Array.from({ length: 150 }, (_, i) => `"u${i}":1,"u${i}":2`).join(',');
    const { fieldErrors } = service.decode(Buffer.from(`{${unknown}}`), 'json');
    expect(fieldErrors).toHaveLength(100);
    expect(new Set(fieldErrors).size).toBe(100);
  });

  it('nested deeper than the stack is refused like one without an end', () => {
    const refused = refusal(() => service.decode(Buffer.from('['.repeat(200_000)), 'json'));
    expect(refused.message).toContain("invalid character '[' exceeded max depth");
  });

  it('that empties managedFields keeps that order', () => {
    const { object } = service.decode(Buffer.from('{"metadata":{"managedFields":[]}}'), 'json');
    expect(object.metadata?.managedFields).toEqual([]);
  });
});

describe('a value from inside the process', () => {
  it('is decoded without being changed or shared', () => {
    const value = { metadata: { name: 'a' }, spec: { ports: [{ port: 80 }], selector: { a: 'b' } } };
    const before = structuredClone(value);
    const { object } = service.decodeValue(value);
    expect(value).toEqual(before);
    (object as unknown as { spec: { selector: Record<string, string> } }).spec.selector['a'] = 'changed';
    expect(value).toEqual(before);
  });
});

describe('a YAML body', () => {
  const decode = (text: string) => schemaOf(['apps', 'v1', 'Deployment']).decode(Buffer.from(text), 'yaml');
  const annotation = (value: string): unknown => {
    const { object } = schemaOf(['', 'v1', 'ConfigMap']).decode(Buffer.from(`data:\n  k: ${value}\n`), 'yaml');
    return (object as unknown as { data: Record<string, unknown> }).data['k'];
  };

  it.each([
    ['"yes"', 'yes'],
    ["'5'", '5'],
    ['2024-01-01', '2024-01-01'],
    ['12:30:45', '12:30:45'],
    ['!!str 5', '5'],
    ['a #c', 'a'],
  ])('has the text %s for %s', (value, text) => expect(annotation(value)).toBe(text));

  it.each([
    ['yes', 'bool'],
    ['off', 'bool'],
    ['0755', 'number'],
    ['1_000', 'number'],
    ['.5', 'number'],
  ])('has no text for %s, which is a %s to YAML 1.1', (value, type) =>
    expect(() => annotation(value)).toThrow(
      `cannot unmarshal ${type} into Go struct field ConfigMap.data of type string`,
    ),
  );

  it('reads octal, binary and hexadecimal numbers', () => {
    const replicas = (text: string) =>
      (decode(`spec: {replicas: ${text}}`).object as { spec?: { replicas?: number } }).spec?.replicas;
    expect(['0o17', '010', '0x1F', '0b101', '1e3'].map(replicas)).toEqual([15, 8, 31, 5, 1000]);
  });

  it('resolves anchors, aliases and merge keys', () => {
    const { object } = decode('x: &a {name: q, labels: {a: b}}\nmetadata:\n  <<: *a\n  namespace: ns\n');
    expect(object.metadata).toMatchObject({ name: 'q', namespace: 'ns', labels: { a: 'b' } });
  });

  it('tells a key that stands twice with its line, as an error and as a warning', () => {
    const { fieldErrors, warnings } = decode('metadata:\n  name: a\n  name: b\n');
    expect(fieldErrors).toEqual(['yaml: unmarshal errors:\n  line 3: key "name" already set in map']);
    expect(warnings).toEqual(['line 3: key "name" already set in map']);
  });

  it.each([
    ['metadata: *nope', "yaml: unknown anchor 'nope' referenced"],
    ['metadata: &m {labels: *m}', "yaml: anchor 'm' value contains itself"],
    ['metadata:\n  k: @x', 'yaml: line 2: found character that cannot start any token'],
    ['spec: {replicas: .inf}', 'json: unsupported value: +Inf'],
  ])('%s is refused: %s', (text, problem) => {
    expect(refusal(() => decode(text)).message).toContain(
      `the object provided is unrecognized (must be of type Deployment): ${problem}`,
    );
  });

  it('whose aliases multiply is refused before it fills the memory', () => {
    const bombs = Array.from(
      { length: 12 },
      (_, i) =>
        `a${i}: &a${i} [${Array(10)
          .fill(i === 0 ? 'x' : `*a${i - 1}`)
          .join(',')}]`,
    );
    expect(refusal(() => decode(bombs.join('\n'))).message).toContain('excessive aliasing');
  });

  it('nested without end is refused', () => {
    expect(refusal(() => decode('['.repeat(50_000))).message).toContain('yaml:');
  });
});

describe('a server-side apply body', () => {
  it('is read as it stands: zero values and unknown fields included', () => {
    const body = 'apiVersion: v1\nkind: Service\nspec:\n  foo: 1\n  healthCheckNodePort: 0\n';
    expect(service.readConfiguration(Buffer.from(body)).object).toEqual({
      apiVersion: 'v1',
      kind: 'Service',
      spec: { foo: 1, healthCheckNodePort: 0 },
    });
  });

  it('in JSON is read the same, and a key that stands twice is told', () => {
    expect(service.readConfiguration(Buffer.from('{"spec":{"a":1}}')).fieldErrors).toEqual([]);
    expect(service.readConfiguration(Buffer.from('{"spec":{"a":1,"a":2}}')).warnings).toEqual([
      'line 1: key "a" already set in map',
    ]);
  });

  it.each(['[]', 'text', '{', ''])('%j is refused with 400', (body) => {
    expect(refusal(() => service.readConfiguration(Buffer.from(body))).message).toMatch(/^error decoding YAML: /);
  });
});

describe('the catalog', () => {
  it('knows no kind that is not published', () => {
    expect(catalog.kind({ group: '', version: 'v1', kind: 'Nope' })).toBeUndefined();
    expect(catalog.kind({ group: '', version: 'v1', kind: '__proto__' })).toBeUndefined();
  });

  it('words strict errors as the real server', () => {
    expect(catalog.strictError(service, ['unknown field "a"', 'duplicate field "b"']).message).toBe(
      'Service in version "v1" cannot be handled as a Service: strict decoding error: unknown field "a", duplicate field "b"',
    );
  });

  it('tells where resources stand and what can be done there', () => {
    const pods = catalog.resources().filter(({ group, resource }) => group === '' && resource === 'pods');
    expect(pods.find(({ subresource }) => subresource === undefined)).toMatchObject({
      namespaced: true,
      kind: { kind: 'Pod' },
    });
    expect(pods.find(({ subresource }) => subresource === 'eviction')).toMatchObject({
      kind: { group: 'policy', version: 'v1', kind: 'Eviction' },
      verbs: ['create'],
    });
  });
});
