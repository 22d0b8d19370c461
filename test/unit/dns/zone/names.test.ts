import { describe, expect, it } from 'vitest';
import { endpointHostname } from '../../../../src/dns/zone/facts.ts';
import { parseRequest } from '../../../../src/dns/zone/parse-request.ts';
import { readDnsVectors } from '../../../helpers/dns-vectors.ts';

interface EndpointVector {
  readonly id: string;
  readonly ip: string;
  readonly hostname: string | null;
  readonly podName: string | null;
  readonly endpointPodNames: boolean;
  readonly expect: string;
}

interface ParseVector {
  readonly id: string;
  readonly qname: string;
  readonly zone: string;
  readonly multicluster: boolean;
  readonly zonal: boolean;
  readonly expect: 'NXDOMAIN' | (Record<string, string> & { readonly topologyZone?: string });
}

const vectors = readDnsVectors<EndpointVector | ParseVector>('names');

describe('endpointHostname', () => {
  const own = vectors.filter((vector): vector is EndpointVector => 'ip' in vector);
  it.each(own.map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    const { ip, hostname, podName } = vector;
    const address = { ip, hostname: hostname ?? '', targetName: podName ?? '', zone: '' };
    expect(endpointHostname(address, vector.endpointPodNames)).toBe(vector.expect);
  });
});

describe('parseRequest', () => {
  const own = vectors.filter((vector): vector is ParseVector => 'qname' in vector);
  it.each(own.map((vector) => [vector.id, vector] as const))(
    '%s',
    (_id, { qname, zone, multicluster, zonal, expect: wanted }) => {
      const request = parseRequest(qname, zone, { multicluster, zonal });
      if (wanted === 'NXDOMAIN') expect(request).toBeUndefined();
      else expect(request).toMatchObject({ topologyZone: '', ...wanted });
    },
  );

  it('takes two labels with an underscore for port and protocol even in a multicluster zone', () => {
    const request = parseRequest('_http._tcp.web.shop.svc.c.', 'c.', { multicluster: true, zonal: false });
    expect(request).toMatchObject({ port: 'http', protocol: 'tcp', endpoint: '', cluster: '' });
  });
});
