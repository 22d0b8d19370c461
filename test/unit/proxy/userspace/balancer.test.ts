import { describe, expect, it } from 'vitest';
import { Balancer, createTurn } from '../../../../src/proxy/userspace/balancer.ts';
import type { ListenerPolicy } from '../../../../src/proxy/userspace/listener.ts';
import { chiSquareP } from '../../../helpers/chi-square.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';

function policyOf(names: string, options: Partial<ListenerPolicy> = {}): ListenerPolicy {
  const targets = [...names].map((name) => ({ ip: name, port: 80, address: `${name}:80` }));
  return { targets, balancing: 'round-robin', affinitySeconds: 0, proxyProtocol: false, ...options };
}

function balancerOf(names: string, options: Partial<ListenerPolicy> = {}, turn = createTurn()): Balancer {
  return new Balancer({ random: seededRandom(7), turn }, policyOf(names, options));
}

const picks = (balancer: Balancer, count: number, client = 'c'): string =>
  Array.from({ length: count }, () => balancer.pick(client, 0)?.ip ?? '-').join('');

describe('balancer', () => {
  it('goes through the endpoints in their order, beginning with the first', () => {
    expect(picks(balancerOf('abc'), 7)).toBe('abcabca');
  });

  it('counts the turn once for all threads that serve a listener', () => {
    const turn = createTurn();
    const [one, two] = [balancerOf('abc', {}, turn), balancerOf('abc', {}, turn)];
    expect(picks(one, 2) + picks(two, 2) + picks(one, 2)).toBe('abcabc');
  });

  it('keeps its turn when the number that counts it wraps', () => {
    const turn = createTurn();
    turn[0] = 0x7fff_fffe;
    expect(picks(balancerOf('ab', {}, turn), 4)).toBe('abab');
  });

  it('has nothing to offer without endpoints', () => {
    expect(balancerOf('').pick('c', 0)).toBeUndefined();
  });

  it('spreads evenly at random', () => {
    const balancer = balancerOf('abcd', { balancing: 'random' });
    const drawn = picks(balancer, 4000);
    const counts = [...'abcd'].map((name) => drawn.split(name).length - 1);
    expect(chiSquareP(counts).p).toBeGreaterThan(0.001);
  });

  it('takes the endpoint with the fewest connections, and each in turn among equals', () => {
    const balancer = balancerOf('abc', { balancing: 'least-connections' });
    expect(picks(balancer, 3)).toBe('abc');
    const [a, b, c] = balancer.candidates;
    a!.active = 3;
    b!.active = 1;
    c!.active = 2;
    expect(picks(balancer, 3)).toBe('bbb');
  });

  it('keeps a client where it was until the time-out, which each connection renews', () => {
    const balancer = balancerOf('abc', { affinitySeconds: 10 });
    expect(balancer.pick('x', 0)?.ip).toBe('a');
    expect(balancer.pick('y', 0)?.ip).toBe('b');
    expect(balancer.pick('x', 9_000)?.ip).toBe('a');
    expect(balancer.pick('x', 18_000)?.ip).toBe('a');
    expect(balancer.pick('x', 28_000)?.ip).toBe('c');
  });

  it('gives a client another endpoint when its own left', () => {
    const balancer = balancerOf('abc', { affinitySeconds: 10 });
    balancer.pick('x', 0);
    balancer.setPolicy(policyOf('bc', { affinitySeconds: 10 }));
    expect('bc').toContain(balancer.pick('x', 1)?.ip);
  });

  it('tries each endpoint once after failures, and the client stays with the one that answers', () => {
    const balancer = balancerOf('abc', { affinitySeconds: 10 });
    const first = balancer.pick('x', 0)!;
    const second = balancer.pickNext('x', [first], 0)!;
    const third = balancer.pickNext('x', [first, second], 0)!;
    expect([first, second, third].map(({ ip }) => ip)).toEqual(['a', 'b', 'c']);
    expect(balancer.pick('x', 1)).toBe(third);
    expect(balancer.pickNext('x', [first, second, third], 1)).toBeUndefined();
  });

  it('keeps what it knows of endpoints that stay', () => {
    const balancer = balancerOf('ab');
    const [a, b] = balancer.candidates;
    a!.active = 5;
    balancer.setPolicy(policyOf('ac'));
    expect(balancer.candidates.map(({ ip, active }) => `${ip}${active}`)).toEqual(['a5', 'c0']);
    expect([a!.present, b!.present]).toEqual([true, false]);
  });
});
