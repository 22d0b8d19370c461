import { describe, expect, it } from 'vitest';
import type { SelectedPort } from '../../../../src/proxy/facts/select-endpoints.ts';
import type { ProxyState } from '../../../../src/proxy/proxy-backend.ts';
import { Portals } from '../../../../src/proxy/userspace/portals.ts';
import {
  buildNodeFacts,
  buildProxyEndpoint,
  buildProxyState,
  buildSelectedPort,
  buildServicePort,
} from '../../../helpers/build-proxy-facts.ts';
import { FakeTransport, NO_SOCKETS } from '../../../helpers/fake-transport.ts';

const node = buildNodeFacts();
const here = buildProxyEndpoint({ ip: '10.244.0.2' });
const there = buildProxyEndpoint({ ip: '10.244.1.2', nodeName: 'node-2' });
const web = buildServicePort();
const key = web.key;
const id = `node-1 ipv4 ${key} cluster`;

const stateOf = (...ports: readonly SelectedPort[]): ProxyState => buildProxyState(ports, node);

function portalsOf(transport = new FakeTransport()): { readonly portals: Portals; readonly transport: FakeTransport } {
  return { portals: new Portals(transport, NO_SOCKETS), transport };
}

describe('portals', () => {
  it('lead rules to a listener on the address of the node', () => {
    const { portals, transport } = portalsOf();
    expect(portals.update(stateOf(buildSelectedPort(web, [here, there])), [key])).toEqual(new Set([key]));
    expect(portals.ports.get(key)?.endpoints).toMatchObject({
      cluster: [{ address: '172.18.0.2:40000' }],
      local: [],
      hasAny: true,
    });
    expect(transport.targetsOf('172.18.0.2:40000')).toEqual(['10.244.0.2:80', '10.244.1.2:80']);
  });

  it('have a listener of their own for policy Local', () => {
    const { portals, transport } = portalsOf();
    const local = buildServicePort({ nodePort: 30080, externalPolicyLocal: true });
    portals.update(stateOf(buildSelectedPort(local, [here, there])), [key]);
    expect(portals.ports.get(key)?.endpoints.reachable.map(({ address }) => transport.targetsOf(address))).toEqual([
      ['10.244.0.2:80', '10.244.1.2:80'],
      ['10.244.0.2:80'],
    ]);
  });

  it('leave the rules as they are when only endpoints change', () => {
    const { portals, transport } = portalsOf();
    portals.update(stateOf(buildSelectedPort(web, [here])), [key]);
    expect(portals.update(stateOf(buildSelectedPort(web, [here, there])), [key])).toEqual(new Set());
    expect(transport.calls).toEqual([`open ${id}`, `update ${id}`]);
  });

  it('close a listener only after rules stopped leading to it', () => {
    const { portals, transport } = portalsOf();
    portals.update(stateOf(buildSelectedPort(web, [here])), [key]);
    portals.closeObsolete();
    expect(portals.update(stateOf(buildSelectedPort(web, [])), [key])).toEqual(new Set([key]));
    expect(portals.ports.get(key)?.endpoints).toMatchObject({ reachable: [], hasAny: false });
    expect(transport.opened.size).toBe(1);
    portals.closeObsolete();
    expect(transport.opened.size).toBe(0);
  });

  it('take over the listeners of the proxy before, and close those that nobody needs', () => {
    const { portals, transport } = portalsOf();
    const gone = buildServicePort({ name: 'gone', clusterIP: '10.96.0.11' });
    portals.update(stateOf(buildSelectedPort(web, [here]), buildSelectedPort(gone, [here])), [key, gone.key]);
    const [address] = [...portals.ports.get(key)!.endpoints.cluster];
    const next = new Portals(transport, NO_SOCKETS);
    next.update(stateOf(buildSelectedPort(web, [there])), [key]);
    next.closeObsolete();
    expect(next.ports.get(key)?.endpoints.cluster).toEqual([address]);
    expect(transport.targetsOf(address!.address)).toEqual(['10.244.1.2:80']);
    expect([...transport.opened.keys()]).toEqual([id]);
  });

  it('leave SCTP to the kernel', () => {
    const { portals, transport } = portalsOf();
    const sctp = buildServicePort({ protocol: 'sctp' });
    const selected = buildSelectedPort(sctp, [here]);
    portals.update(stateOf(selected), [sctp.key]);
    expect(portals.ports.get(sctp.key)?.endpoints).toEqual(selected.endpoints);
    expect(transport.calls).toEqual([]);
  });

  it('say for which ServicePort no socket could be opened, and try again', () => {
    const { portals, transport } = portalsOf();
    transport.refuses.add(id);
    portals.update(stateOf(buildSelectedPort(web, [here])), [key]);
    expect(portals.failed.map((failed) => failed.key)).toEqual([key]);
    transport.refuses.clear();
    expect(portals.update(stateOf(buildSelectedPort(web, [here])), [])).toEqual(new Set([key]));
    expect(portals.failed).toEqual([]);
  });
});
