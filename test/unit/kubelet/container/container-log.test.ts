import { describe, expect, test } from 'vitest';
import { ContainerLog } from '../../../../src/kubelet/container/container-log.ts';
import { text } from '../../../helpers/read-text.ts';
import { SteppedClock, settled } from '../../../helpers/stepped-clock.ts';

const at = Date.UTC(2026, 0, 1);

describe('the log of a container', () => {
  test('shows whole lines in the order in which they ended', async () => {
    const log = new ContainerLog(new SteppedClock(), 1000);
    log.write('stdout', 'a');
    log.write('stderr', 'x\n');
    log.write('stdout', 'b\nc');
    expect(await text(log.open({}))).toBe('x\nab\n');
    log.close();
    expect(await text(log.open({}))).toBe('x\nab\nc');
    expect(await text(log.open({ stream: 'Stdout' }))).toBe('ab\nc');
    expect(await text(log.open({ stream: 'Stderr' }))).toBe('x\n');
  });

  test('cuts lines that have no end after 16 KiB', async () => {
    const log = new ContainerLog(new SteppedClock(), 100_000);
    log.write('stdout', 'x'.repeat(20_000));
    expect((await text(log.open({}))).length).toBe(16_384);
  });

  test('keeps the latest lines when it is full', async () => {
    const log = new ContainerLog(new SteppedClock(), 100);
    for (let i = 0; i < 1000; i++) log.write('stdout', `${i}\n`);
    const kept = await text(log.open({}));
    expect(kept.length).toBeLessThanOrEqual(100);
    expect(kept.endsWith('\n998\n999\n')).toBe(true);
    expect(await text(log.open({ tailLines: 2 }))).toBe('998\n999\n');
  });

  test('has a time for each line, in order within a millisecond', async () => {
    const log = new ContainerLog(new SteppedClock(at), 1000);
    log.write('stdout', 'a\nb\n');
    expect(await text(log.open({ timestamps: true }))).toBe(
      '2026-01-01T00:00:00.000000000Z a\n2026-01-01T00:00:00.000000001Z b\n',
    );
  });

  test('can be read from a time on', async () => {
    const clock = new SteppedClock(at);
    const log = new ContainerLog(clock, 1000);
    log.write('stdout', 'old\n');
    await clock.step(10_000);
    log.write('stdout', 'new\n');
    expect(await text(log.open({ sinceSeconds: 5 }))).toBe('new\n');
    expect(await text(log.open({ sinceSeconds: 10 }))).toBe('old\nnew\n');
    expect(await text(log.open({ sinceTime: '2026-01-01T00:00:10Z' }))).toBe('new\n');
  });

  test('stops after the bytes asked for', async () => {
    const log = new ContainerLog(new SteppedClock(), 1000);
    log.write('stdout', 'abc\ndef\n');
    expect(await text(log.open({ limitBytes: 5 }))).toBe('abc\nd');
    expect(await text(log.open({ limitBytes: 0 }))).toBe('');
  });

  test('is followed, past lines that were dropped meanwhile, until it is closed', async () => {
    const log = new ContainerLog(new SteppedClock(), 60);
    const chunks: string[] = [];
    const reading = (async () => {
      for await (const chunk of log.open({ follow: true, tailLines: 0 })) chunks.push(String(chunk));
    })();
    await settled();
    log.write('stdout', 'one\n');
    await settled();
    for (let i = 0; i < 100; i++) log.write('stdout', `${i}\n`);
    log.close();
    await reading;
    expect(chunks[0]).toBe('one\n');
    expect(chunks.join('').endsWith('98\n99\n')).toBe(true);
  });

  test('that nobody reads any more keeps nobody waiting', async () => {
    const log = new ContainerLog(new SteppedClock(), 1000);
    const stream = log.open({ follow: true });
    stream.resume();
    await settled();
    stream.destroy();
    log.write('stdout', 'a\n');
    await settled();
    expect(stream.destroyed).toBe(true);
  });
});
