import { expect, it } from 'vitest';
import {
  canonicalQuantity,
  formatQuantity,
  parseQuantity,
} from '../../../../src/apiserver/schema/canonical-quantity.ts';

it.each([
  ['1', '1'],
  ['1000m', '1'],
  ['0.5', '500m'],
  ['1.50', '1500m'],
  ['1024Mi', '1Gi'],
  ['1.5Gi', '1536Mi'],
  ['0.5Ki', '512'],
  ['1000Ki', '1000Ki'],
  ['1500', '1500'],
  ['1000000', '1M'],
  ['12E2', '1200'],
  ['1e3', '1e3'],
  ['0.0000000001', '1n'],
  ['1.2345678912', '1234567892n'],
  ['-0.5Gi', '-512Mi'],
  ['0m', '0'],
  ['100000000000000000000', '100E'],
  // The real server prints these as they came, by accident.
  ['+5', '+5'],
  ['007Mi', '007Mi'],
])('%s is written %s', (text, canonical) => expect(canonicalQuantity(text)).toBe(canonical));

it.each(['', 'abc', '1x', '1.2.3', '--1', '1e', '1 Gi', '1Kib'])('%j is no quantity', (text) => {
  expect(() => parseQuantity(text)).toThrow(/quantit|numeric/);
});

it('a hostile exponent is refused before it becomes a number', () => {
  expect(() => parseQuantity('1e999999999')).toThrow('unable to parse numeric part of quantity');
});

it('amounts more than a 64 bit number of bytes are cut to that', () => {
  expect(formatQuantity(parseQuantity('100000Ei'))).toBe('9223372036854775807');
});
