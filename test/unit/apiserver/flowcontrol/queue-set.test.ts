import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FlowStats } from '../../../../src/apiserver/flowcontrol/flow-stats.ts';
import type { LevelRequest } from '../../../../src/apiserver/flowcontrol/level-request.ts';
import { QueueSet, type QueueSettings } from '../../../../src/apiserver/flowcontrol/queue-set.ts';
import { dealHand, hashFlow } from '../../../../src/apiserver/flowcontrol/shuffle-sharding.ts';

const queueing: QueueSettings = { type: 'queue', queueLengthLimit: 50 };
const rejecting: QueueSettings = { type: 'reject', queueLengthLimit: 0 };
const exempt: QueueSettings = { type: 'exempt', queueLengthLimit: 0 };

let now: number;
let stats: FlowStats;
beforeEach(() => {
  now = 1000;
  stats = new FlowStats('level', 'schema');
});

function queueSet(settings: QueueSettings, limit: number): QueueSet {
  const set = new QueueSet(now);
  set.configure(settings, limit, now);
  return set;
}

const dealt = (flow: string): readonly number[] => dealHand(hashFlow('schema', flow), 16, 4);

const start = (set: QueueSet, flow = 'a', seats = 1, hand = dealt): LevelRequest | undefined =>
  set.start({ stats, seats, isWatch: false, hand: () => hand(flow) }, now);

describe('a level that rejects', () => {
  test('lets as many work as it has seats, and turns one more away', () => {
    const set = queueSet(rejecting, 2);
    const first = start(set)!;
    expect(start(set)?.isExecuting).toBe(true);
    expect(start(set)).toBeUndefined();
    expect(stats.rejected['concurrency-limit']).toBe(1);
    set.finish(first, now);
    expect(start(set)?.isExecuting).toBe(true);
  });

  test('lets one request work alone that wants more than there is', () => {
    const set = queueSet(rejecting, 0);
    expect(start(set)?.isExecuting).toBe(true);
    expect(start(set)).toBeUndefined();
  });
});

test('an exempt level lets nobody wait', () => {
  const set = queueSet(exempt, 0);
  for (let i = 0; i < 1000; i++) expect(start(set)?.isExecuting).toBe(true);
  expect(set.seatsInUse).toBe(1000);
});

describe('a level with queues', () => {
  test('lets requests wait that find no seat, and work when one is given back', () => {
    const set = queueSet(queueing, 1);
    const first = start(set)!;
    const second = start(set)!;
    const decisions: boolean[] = [];
    second.onDecision = (executes) => decisions.push(executes);
    expect(second.isExecuting).toBe(false);
    expect([stats.waiting, stats.waitingSeats, set.activeQueues]).toEqual([1, 1, 1]);
    now += 40;
    set.finish(first, now);
    expect(decisions).toEqual([true]);
    expect([second.isExecuting, second.startedAt, stats.waiting, stats.executing]).toEqual([true, now, 0, 1]);
    expect(stats.waits.true.seconds).toBeCloseTo(0.04);
  });

  test('turns one flow away whose queues are full, and not another', () => {
    const set = queueSet({ ...queueing, queueLengthLimit: 2 }, 1);
    const accepted = Array.from({ length: 100 }, () => start(set, 'greedy')).filter(Boolean);
    // One works, and in each of its four queues wait two.
    expect(accepted).toHaveLength(1 + 4 * 2);
    expect(stats.rejected['queue-full']).toBe(100 - accepted.length);
    expect(start(set, 'modest')).toBeDefined();
  });

  test('forgets a request that gave up waiting', () => {
    const set = queueSet(queueing, 1);
    const first = start(set)!;
    const second = start(set)!;
    const decisions: boolean[] = [];
    second.onDecision = (executes) => decisions.push(executes);
    set.cancel(second, now);
    set.cancel(second, now);
    expect(decisions).toEqual([false]);
    expect([stats.waiting, stats.rejected['time-out'], set.timedOut]).toEqual([0, 1, 1]);
    set.finish(first, now);
    expect(set.isIdle).toBe(true);
  });

  test('that is given more seats uses them at once, and one that loses its queues lets those who wait have their turn', () => {
    const set = queueSet(queueing, 1);
    const all = Array.from({ length: 5 }, (_, i) => start(set, `flow ${i}`)!);
    set.configure(queueing, 3, now);
    expect(all.filter(({ isExecuting }) => isExecuting)).toHaveLength(3);
    set.configure(rejecting, 3, now);
    for (const request of all) if (request.isExecuting) set.finish(request, now);
    expect(all.every(({ isExecuting }) => isExecuting)).toBe(true);
  });

  test('may have ten million of them', () => {
    const set = queueSet(queueing, 1);
    const huge = (flow: string): readonly number[] => dealHand(hashFlow('schema', flow), 10_000_000, 2);
    const busy = start(set, 'first', 1, huge)!;
    for (let i = 0; i < 2000; i++) set.cancel(start(set, `flow ${i}`, 1, huge)!, now);
    expect(set.activeQueues).toBe(0);
    const last = start(set, 'last', 1, huge)!;
    set.finish(busy, now);
    expect(last.isExecuting).toBe(true);
  });

  test('a wide request waits for all its seats', () => {
    const set = queueSet(queueing, 4);
    const narrow = [start(set, 'a')!, start(set, 'a')!];
    const wide = start(set, 'b', 4)!;
    expect(wide.isExecuting).toBe(false);
    set.finish(narrow[0]!, now);
    expect(wide.isExecuting).toBe(false);
    set.finish(narrow[1]!, now);
    expect([wide.isExecuting, set.seatsInUse]).toEqual([true, 4]);
  });
});

interface Working {
  readonly request: LevelRequest;
  readonly flow: string;
  readonly takes: number;
}

/** Lets flows ask as often as they like for `ms`; returns how much each has got, in seat milliseconds. */
function contend(
  set: QueueSet,
  flows: Readonly<Record<string, { readonly wants: number; readonly takes: number }>>,
  hand = dealt,
): ReadonlyMap<string, number> {
  const got = new Map(Object.keys(flows).map((flow) => [flow, 0]));
  let asked: Working[] = [];
  for (const until = now + 4000; now < until; now++) {
    for (const { request, flow, takes } of asked) {
      if (!request.isExecuting || now - request.startedAt < takes) continue;
      set.finish(request, now);
      got.set(flow, got.get(flow)! + takes);
    }
    asked = asked.filter(({ request, takes }) => !request.isExecuting || now - request.startedAt < takes);
    for (const [flow, { wants, takes }] of Object.entries(flows)) {
      const own = asked.filter((each) => each.flow === flow).length;
      for (let i = own; i < wants; i++) {
        const request = start(set, flow, 1, hand);
        if (request) asked.push({ request, flow, takes });
      }
    }
  }
  return got;
}

describe('fairness', () => {
  test('a flow that asks a hundred times as much gets no more than one that always has something to do', () => {
    const got = contend(queueSet(queueing, 2), {
      elephant: { wants: 200, takes: 10 },
      mouse: { wants: 2, takes: 10 },
    });
    expect(got.get('mouse')! / (got.get('mouse')! + got.get('elephant')!)).toBeGreaterThan(0.2);
  });

  // As flows have that share none of the queues of their hands.
  const alone = (flow: string): readonly number[] => [Number(flow)];

  test('a flow of slow requests gets as much as one of quick ones', () => {
    const got = contend(queueSet(queueing, 2), { 0: { wants: 20, takes: 50 }, 1: { wants: 20, takes: 2 } }, alone);
    const part = got.get('0')! / (got.get('0')! + got.get('1')!);
    expect(part).toBeGreaterThan(0.4);
    expect(part).toBeLessThan(0.6);
  });

  test('no flow starves, and seats are never given twice, whatever the others ask', () => {
    const flow = fc.record({ wants: fc.integer({ min: 1, max: 30 }), takes: fc.integer({ min: 1, max: 60 }) });
    fc.assert(
      fc.property(fc.array(flow, { minLength: 2, maxLength: 6 }), fc.integer({ min: 1, max: 8 }), (flows, limit) => {
        const set = queueSet(queueing, limit);
        const got = contend(set, Object.fromEntries(flows.entries()), alone);
        for (const [name, amount] of got) expect(amount, name).toBeGreaterThan(0);
        expect(set.seatsInUse).toBeLessThanOrEqual(limit);
      }),
      { numRuns: Number(process.env['TOWTANK_FUZZ'] ?? 20) },
    );
  });
});

test('what is counted is what is there, after any sequence of arrivals, ends, time-outs and changes', () => {
  const act = fc.oneof(
    fc.record({
      type: fc.constant('start'),
      flow: fc.integer({ min: 0, max: 5 }),
      seats: fc.integer({ min: 1, max: 4 }),
    }),
    fc.record({ type: fc.constant('finish'), pick: fc.nat(100) }),
    fc.record({ type: fc.constant('cancel'), pick: fc.nat(100) }),
    fc.record({ type: fc.constant('limit'), limit: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ type: fc.constant('pass'), ms: fc.integer({ min: 0, max: 50 }) }),
  );
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
      now = 1000;
      stats = new FlowStats('level', 'schema');
      const set = queueSet({ ...queueing, queueLengthLimit: 3 }, 3);
      let all: LevelRequest[] = [];
      const drop = (request: LevelRequest): void => {
        all = all.filter((each) => each !== request);
      };
      for (const each of acts) {
        const executing = all.filter(({ isExecuting }) => isExecuting);
        const waiting = all.filter(({ isExecuting }) => !isExecuting);
        if ('flow' in each) {
          const started = start(set, `${each.flow}`, each.seats);
          if (started) all.push(started);
        } else if ('limit' in each) set.configure(queueing, each.limit, now);
        else if ('ms' in each) now += each.ms;
        else if (each.type === 'finish' && executing.length > 0) {
          const request = executing[each.pick % executing.length]!;
          set.finish(request, now);
          drop(request);
        } else if (each.type === 'cancel' && waiting.length > 0) {
          const request = waiting[each.pick % waiting.length]!;
          set.cancel(request, now);
          drop(request);
        }
        const working = all.filter(({ isExecuting }) => isExecuting);
        const seats = (list: readonly LevelRequest[]): number => list.reduce((sum, request) => sum + request.seats, 0);
        expect(set.executing).toBe(working.length);
        expect(set.waiting).toBe(all.length - working.length);
        expect(set.seatsInUse).toBe(seats(working));
        expect(stats.executingSeats).toBe(seats(working));
        expect(stats.waitingSeats).toBe(seats(all) - seats(working));
      }
      for (let rounds = 0; all.length > 0 && rounds < 1000; rounds++) {
        for (const request of all.filter(({ isExecuting }) => isExecuting)) {
          set.finish(request, now++);
          drop(request);
        }
      }
      expect(set.isIdle).toBe(true);
    }),
    { numRuns: 200 },
  );
});
