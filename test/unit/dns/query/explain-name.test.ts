import { describe, expect, it } from 'vitest';
import { explainName } from '../../../../src/dns/query/explain-name.ts';
import { RecordType } from '../../../../src/dns/wire/record-type.ts';
import type { ZoneView } from '../../../../src/dns/zone/find-services.ts';
import { ObjectZone } from '../../../../src/dns/zone/object-zone.ts';
import { defaultZoneOptions, type ZoneOptions } from '../../../../src/dns/zone/zone-options.ts';
import {
  buildEndpoint,
  buildEndpointSlice,
  buildNamespace,
  buildPod,
  buildService,
} from '../../../helpers/build-objects.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
const spec = { externalName: 'api.example', clusterIP: '', clusterIPs: [] };
const objects = [
  buildNamespace({ name: 'shop' }),
  buildService({ name: 'web', namespace: 'shop', clusterIP: '10.96.0.7', ports }),
  buildService({ name: 'db', namespace: 'shop', clusterIP: 'None', ports }),
  buildService({ name: 'idle', namespace: 'shop', clusterIP: 'None', ports }),
  buildService({ name: 'ext', namespace: 'shop', type: 'ExternalName', spec }),
  buildEndpointSlice({
    ...{ name: 'db-1', namespace: 'shop', service: 'db', ports },
    endpoints: [
      buildEndpoint({ ip: '10.244.0.3', hostname: 'db-0' }),
      buildEndpoint({ ip: '10.244.0.4', ready: false }),
    ],
  }),
  buildPod({ name: 'caller', namespace: 'shop', ips: ['10.244.0.9'] }),
];

function view(podMode: ZoneOptions['podMode'] = 'insecure'): ZoneView {
  const options: ZoneOptions = {
    ...defaultZoneOptions,
    ...{ zones: ['cluster.local.', 'in-addr.arpa.', 'ip6.arpa.'], podMode },
  };
  const zone = new ObjectZone(new SteppedClock(), objects);
  return { state: zone.source({ labels: '', namespaceLabels: '', pods: true, multicluster: false }).state, options };
}

describe('explainName', () => {
  it.each([
    [
      'web.shop.svc.cluster.local.',
      'A',
      'Service shop/web: its cluster IP, which kube-proxy turns into one of 0 ready endpoint(s)',
    ],
    ['web.shop.svc.cluster.local.', 'AAAA', 'Service shop/web has no IPv6 address'],
    ['web.shop.svc.cluster.local.', 'MX', 'Service shop/web exists, but has no MX records'],
    ['_dns._udp.web.shop.svc.cluster.local.', 'SRV', 'Service shop/web has no port _dns._udp; it has _http._tcp'],
    [
      'db.shop.svc.cluster.local.',
      'A',
      'Service shop/db is headless: its 1 ready endpoint(s); those not ready are left out',
    ],
    ['db-0.db.shop.svc.cluster.local.', 'A', 'an endpoint of Service shop/db'],
    ['db-1.db.shop.svc.cluster.local.', 'A', 'Service shop/db has no ready endpoint that is called db-1'],
    ['idle.shop.svc.cluster.local.', 'A', 'Service shop/idle has no ready endpoint, so its name does not exist'],
    ['ext.shop.svc.cluster.local.', 'A', 'Service shop/ext is an ExternalName for api.example'],
    ['ghost.shop.svc.cluster.local.', 'A', 'there is no Service ghost in namespace shop'],
    ['web.nowhere.svc.cluster.local.', 'A', 'there is no namespace nowhere'],
    ['shop.svc.cluster.local.', 'A', 'namespace shop exists: a branch without records of its own'],
    [
      'svc.cluster.local.',
      'A',
      "svc.cluster.local. is a branch of the cluster's zone: it exists, but only its SOA and NS are there",
    ],
    [
      'www.cluster.local.',
      'A',
      'below cluster.local. there are only svc and pod: a cluster name reads SERVICE.NAMESPACE.svc.cluster.local.',
    ],
    ['a.b.c.web.shop.svc.cluster.local.', 'A', 'no cluster name has 3 labels in front of its Service'],
    ['7.0.96.10.in-addr.arpa.', 'PTR', '10.96.0.7 is a cluster IP of Service shop/web'],
    ['3.0.244.10.in-addr.arpa.', 'PTR', '10.244.0.3 is a ready endpoint of 1 Service(s)'],
    [
      '4.0.244.10.in-addr.arpa.',
      'PTR',
      'no Service has 10.244.0.4 as cluster IP or ready endpoint; pods without a Service have no name',
    ],
    ['www.example.', 'A', undefined],
  ] as const)('%s %s', (name, type, expected) => {
    expect(explainName(view(), name, RecordType[type])).toBe(expected);
  });

  it.each([
    ['disabled', '10-244-0-9', 'pod names are switched off (`pods disabled`)'],
    [
      'insecure',
      '10-244-0-1',
      'any address in dashes is a pod name here (`pods insecure`), whether a pod has it or not: 10-244-0-1',
    ],
    ['verified', '10-244-0-9', 'a pod of namespace shop has this address'],
    ['verified', '10-244-0-1', 'no running pod of namespace shop has the address 10-244-0-1 as its first'],
  ] as const)('pods %s: %s', (mode, address, expected) => {
    expect(explainName(view(mode), `${address}.shop.pod.cluster.local.`, RecordType.A)).toBe(expected);
  });
});
