import { describe, expect, it } from 'vitest';
import { type FactProblem, ServiceFacts } from '../../../../src/proxy/facts/service-facts.ts';
import { buildService } from '../../../helpers/build-objects.ts';

function withFacts() {
  const problems: FactProblem[] = [];
  return { facts: new ServiceFacts({ onProblem: (problem) => problems.push(problem) }), problems };
}

const nodePort = (name: string, clusterIP: string, port = 30_080) =>
  buildService({ name, clusterIP, type: 'NodePort', ports: [{ port: 80, protocol: 'TCP', nodePort: port }] });

describe('a frontend that two Services want', () => {
  it('is told at the one that does not get it, whichever comes first', () => {
    for (const order of [
      ['alpha', 'beta'],
      ['beta', 'alpha'],
    ]) {
      const { facts, problems } = withFacts();
      for (const name of order)
        facts.setService(`default/${name}`, nodePort(name, name === 'alpha' ? '10.96.0.1' : '10.96.0.2'));
      expect(problems).toEqual([
        {
          service: 'default/beta',
          reason: 'ConflictingFrontend',
          message: 'node port 30080/tcp of default/beta:/TCP belongs to default/alpha:/TCP, where packets to it go',
        },
      ]);
    }
  });

  it('may be a cluster IP, and an external one', () => {
    const { facts, problems } = withFacts();
    for (const name of ['alpha', 'beta']) {
      const service = buildService({ name, clusterIP: '10.96.0.1' });
      facts.setService(`default/${name}`, { ...service, spec: { ...service.spec, externalIPs: ['192.0.2.1'] } });
    }
    expect(problems.map(({ message }) => message.split(' ', 1)[0])).toEqual(['10.96.0.1:80/tcp', '192.0.2.1:80/tcp']);
  });

  it('may be one that two ports of a Service want', () => {
    const { facts, problems } = withFacts();
    const ports = [80, 81].map((port) => ({ name: `p${port}`, port, protocol: 'TCP', nodePort: 30_080 }));
    facts.setService('default/alpha', buildService({ name: 'alpha', type: 'NodePort', ports }));
    expect(problems).toMatchObject([
      { service: 'default/alpha', message: expect.stringContaining('node port 30080/tcp of default/alpha:p81/TCP') },
    ]);
  });

  it('is none once the other Service let go of it', () => {
    const { facts, problems } = withFacts();
    facts.setService('default/alpha', nodePort('alpha', '10.96.0.1'));
    facts.setService('default/alpha', nodePort('alpha', '10.96.0.1', 30_081));
    facts.setService('default/beta', nodePort('beta', '10.96.0.2'));
    facts.setService('default/beta', undefined);
    facts.setService('default/gamma', nodePort('gamma', '10.96.0.3'));
    expect(problems).toEqual([]);
  });

  it('is none for one address with two protocols', () => {
    const { facts, problems } = withFacts();
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'dns-tcp', port: 53, protocol: 'TCP' },
    ];
    facts.setService('default/dns', buildService({ name: 'dns', ports }));
    expect(problems).toEqual([]);
  });
});
