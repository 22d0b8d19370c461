import { describe, expect, it } from 'vitest';
import { ApiStatusError } from '../../../../src/kube/status.ts';
import { asJson, type FixtureKind, readFixture, schemaOf, withEmptyForNull } from '../../../helpers/go-fixtures.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

interface ProtobufCase {
  readonly kind: FixtureKind;
  readonly protobuf: string;
  readonly object: unknown;
}

const { cases } = readFixture<{ cases: ProtobufCase[] }>('defaults-and-protobuf.json');
const decode = (kind: FixtureKind, body: Buffer) => schemaOf(kind).decode(body, 'protobuf');

describe('a protobuf body', () => {
  it.each(cases)('of $kind is the object that Go wrote', ({ kind, protobuf, object }) => {
    const ours = asJson(decode(kind, Buffer.from(protobuf, 'base64')).object);
    expect(ours).toEqual(withEmptyForNull(object, ours));
  });

  it('without the magic is refused', () => {
    expect(() => decode(['', 'v1', 'Pod'], Buffer.from('{}'))).toThrow(
      'the object provided is unrecognized (must be of type Pod): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] ({})',
    );
  });

  it('of another kind is refused', () => {
    const service = cases.find(({ kind }) => kind[2] === 'Service')!;
    expect(() => decode(['', 'v1', 'Pod'], Buffer.from(service.protobuf, 'base64'))).toThrow(
      'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
    );
  });

  it('cut short or with wrong bytes is refused or read, never more (seed 3)', () => {
    const random = seededRandom(3);
    for (const { kind, protobuf } of cases) {
      for (let round = 0; round < 30; round++) {
        const body = Buffer.from(protobuf, 'base64');
        const at = Math.floor(random() * body.length);
        body[at] = Math.floor(random() * 256);
        try {
          decode(kind, random() < 0.5 ? body : body.subarray(0, at));
        } catch (error) {
          expect(error).toBeInstanceOf(ApiStatusError);
        }
      }
    }
  });

  it('whose lengths claim more than there is is refused', () => {
    const body = Buffer.concat([Buffer.from('k8s\0'), Buffer.from([0x12, 0xff, 0xff, 0x03, 0x0a])]);
    expect(() => decode(['', 'v1', 'Pod'], body)).toThrow('unexpected EOF');
  });
});
