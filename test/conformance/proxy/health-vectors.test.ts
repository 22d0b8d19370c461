import { describe, expect, it } from 'vitest';
import type { Family } from '../../../src/netfilter/runner.ts';
import { healthzResponse, livezResponse } from '../../../src/proxy/health/health-responses.ts';
import { HealthState } from '../../../src/proxy/health/health-state.ts';
import { ServiceHealth } from '../../../src/proxy/health/service-health.ts';
import { buildNode } from '../../helpers/build-objects.ts';
import { loadVectors, type Vector } from '../../helpers/proxy-vectors.ts';
import { SteppedClock } from '../../helpers/stepped-clock.ts';

type FamilyName = 'IPv4' | 'IPv6';
const familyOf = (name: FamilyName): Family => (name === 'IPv4' ? 'ipv4' : 'ipv6');

interface ProxyHealth extends Vector {
  readonly healthTimeoutSeconds: number;
  readonly events: readonly {
    readonly at: number;
    readonly queued?: readonly FamilyName[];
    readonly updated?: readonly FamilyName[];
    readonly node?: { readonly taints?: readonly string[]; readonly deletionTimestamp?: boolean };
    readonly expect?: {
      readonly proxierHealthy: boolean;
      readonly perFamilyHealthy: Readonly<Record<FamilyName, boolean>>;
      readonly healthz: { readonly status: number; readonly nodeEligible: boolean };
      readonly livez: { readonly status: number };
    };
  }[];
}

const START = Date.UTC(2026, 0, 1);

describe('a proxy is healthy while it keeps up', () => {
  it.each(loadVectors<ProxyHealth>('proxy-health'))('$id: $title', async ({ events, healthTimeoutSeconds }) => {
    const clock = new SteppedClock(START);
    const state = new HealthState(clock, healthTimeoutSeconds * 1000);
    for (const event of events) {
      await clock.step(START + event.at * 1000 - clock.now());
      for (const family of event.queued ?? []) state.queued(familyOf(family));
      for (const family of event.updated ?? []) state.updated(familyOf(family));
      if (event.node !== undefined) state.setNode(nodeOf(event.node));
      if (event.expect !== undefined) expect(observe(state)).toEqual(event.expect);
    }
  });
});

function nodeOf({
  taints = [],
  deletionTimestamp = false,
}: {
  readonly taints?: readonly string[];
  readonly deletionTimestamp?: boolean;
}) {
  return buildNode({
    ...(deletionTimestamp && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
    spec: { taints: taints.map((key) => ({ key, effect: 'NoSchedule' })) },
  });
}

function observe(state: HealthState) {
  const healthz = healthzResponse(state);
  const livez = livezResponse(state);
  const body = JSON.parse(healthz.body) as { nodeEligible: boolean; lastUpdated: string; currentTime: string };
  if (healthz.status === 200) expect(body.lastUpdated).toBe(body.currentTime);
  expect(JSON.parse(livez.body)).not.toHaveProperty('nodeEligible');
  return {
    proxierHealthy: state.live.healthy,
    perFamilyHealthy: { IPv4: state.isFamilyHealthy('ipv4'), IPv6: state.isFamilyHealthy('ipv6') },
    healthz: { status: healthz.status, nodeEligible: body.nodeEligible },
    livez: { status: livez.status },
  };
}

interface ServiceHealthVector extends Vector {
  readonly steps: readonly {
    readonly syncServices?: Readonly<Record<string, number>>;
    readonly syncEndpoints?: Readonly<Record<string, number>>;
    readonly proxyHealthy?: boolean;
    readonly expect: {
      readonly openPorts?: readonly string[];
      readonly checks: readonly {
        readonly service: string;
        readonly status: number;
        readonly localEndpoints: number;
        readonly serviceProxyHealthy: boolean;
      }[];
    };
  }[];
}

describe('Services with a health check port answer on it', () => {
  // Which addresses the ports are opened on is the business of ServiceChecks and has its own test.
  it.each(loadVectors<ServiceHealthVector>('service-health'))('$id: $title', ({ steps }) => {
    let proxyHealthy = true;
    const open = new Set<number>();
    const health = new ServiceHealth({
      open: (port) => {
        open.add(port);
        return { [Symbol.dispose]: () => void open.delete(port) };
      },
      isProxyHealthy: () => proxyHealthy,
      onFailure: (service, port, error) => expect.unreachable(`${service} ${port} ${String(error)}`),
    });
    for (const step of steps) {
      proxyHealthy = step.proxyHealthy ?? proxyHealthy;
      if (step.syncServices !== undefined) health.syncServices(new Map(Object.entries(step.syncServices)));
      if (step.syncEndpoints !== undefined) health.syncEndpoints(new Map(Object.entries(step.syncEndpoints)));
      if (step.expect.openPorts !== undefined) {
        expect([...open].sort()).toEqual(step.expect.openPorts.map((text) => Number(text.split(':')[1])).sort());
      }
      for (const { service, status, ...wanted } of step.expect.checks) {
        const response = health.respond(service)!;
        const [namespace, name] = service.split('/');
        expect(response.status).toBe(status);
        expect(JSON.parse(response.body)).toEqual({ service: { namespace, name }, ...wanted });
        expect(response.headers['x-load-balancing-endpoint-weight']).toBe(String(wanted.localEndpoints));
      }
    }
  });
});
