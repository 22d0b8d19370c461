import { describe, expect, test } from 'vitest';
import { klogLine } from '../../../../src/kubelet/images/serving/klog.ts';
import { FlagError, parseDuration, parseFlags } from '../../../../src/kubelet/images/serving/parse-flags.ts';

const kinds = { port: 'int', text: 'string', udp: 'bool', timeout: 'duration' } as const;
const parse = (...args: readonly string[]) => {
  const { values, rest } = parseFlags(args, kinds);
  return { ...Object.fromEntries(values), rest };
};

describe('flags of Go programs', () => {
  test('are read in all of their forms', () => {
    expect(parse('-port=80', '--text', 'a b', '--udp', 'host:1', '--timeout=1m30s')).toEqual({
      port: 80,
      text: 'a b',
      udp: true,
      timeout: 90_000,
      rest: ['host:1'],
    });
    expect(parse('--udp=false', '--', '--port=1')).toEqual({ udp: false, rest: ['--port=1'] });
    expect(parse('--text=')).toEqual({ text: '', rest: [] });
  });

  test.each([
    [['--nonsense'], 'unknown flag: --nonsense'],
    [['--port'], 'flag needs an argument: --port'],
    [['--port=x'], 'invalid argument "x" for "--port" flag'],
    [['--udp=maybe'], 'invalid argument "maybe" for "--udp" flag'],
    [['--timeout=5'], 'invalid argument "5" for "--timeout" flag'],
  ])('%j is refused: %s', (args, message) => {
    expect(() => parse(...args)).toThrow(new FlagError(message));
  });

  test.each([
    ['0', 0],
    ['300ms', 300],
    ['1.5s', 1500],
    ['2h45m', 9_900_000],
    ['-1s', -1000],
    ['', undefined],
    ['1', undefined],
    ['1x', undefined],
    ['s', undefined],
  ])('duration %j is %s ms', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  test('log lines look like those of klog', () => {
    expect(klogLine(Date.UTC(2026, 0, 31, 13, 5, 9, 7), 'GET /')).toBe(
      'I0131 13:05:09.007000       1 log.go:245] GET /',
    );
  });
});
