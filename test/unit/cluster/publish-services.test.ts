import { describe, expect, it } from 'vitest';
import { choosePublications } from '../../../src/cluster/publish-services.ts';
import type { Service } from '../../../src/kube/generated/types.ts';

const service = (name: string, created: string, port: object, ip?: string): Service => ({
  metadata: { name, creationTimestamp: created },
  spec: { ports: [port as { port: number }] },
  status: { loadBalancer: ip === undefined ? {} : { ingress: [{ ip }] } },
});

describe('what Services publish on the addresses of their container', () => {
  it('is node ports at a node, and ports of load balancers at their address', () => {
    const web = service('web', '2026-01-01T00:00:00Z', { port: 80, nodePort: 30080 }, '172.18.255.1');
    expect([...choosePublications([web], '172.18.0.2').values()]).toEqual([
      { port: 30080, host: '172.18.0.2' },
      { port: 80, host: '172.18.255.1' },
    ]);
  });

  it('is no node port where the kernel’s rules see to it', () => {
    const web = service('web', '2026-01-01T00:00:00Z', { port: 80, nodePort: 30080 });
    expect(choosePublications([web], undefined).size).toBe(0);
  });

  it('belongs to the older of two Services with the same port', () => {
    const young = service('a', '2026-01-02T00:00:00Z', { port: 80 }, '172.18.255.2');
    const old = service('b', '2026-01-01T00:00:00Z', { port: 80 }, '172.18.255.1');
    expect(choosePublications([young, old], undefined).get(80)?.host).toBe('172.18.255.1');
  });

  it('is TCP only', () => {
    const dns = service('dns', '2026-01-01T00:00:00Z', { port: 53, nodePort: 30053, protocol: 'UDP' }, '172.18.255.1');
    expect(choosePublications([dns], '172.18.0.2').size).toBe(0);
  });
});
