import { describe, expect, it } from 'vitest';
import { deleteArguments, parseConntrack } from '../../../../src/kernel/runners/conntrack-text.ts';

const text = [
  'udp      17 29 src=10.244.1.2 dst=10.96.0.10 sport=40000 dport=53 [UNREPLIED] src=10.244.2.3 dst=10.244.1.2 sport=53 dport=40000 mark=0 use=1',
  'tcp      6 431999 ESTABLISHED src=fd00::2 dst=fd00::3 sport=1 dport=80 src=fd00::3 dst=fd00::2 sport=80 dport=1 [ASSURED] mark=0 use=2',
  'icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=3 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=3 mark=0 use=1',
  'sctp     132 3 COOKIE_WAIT src=10.0.0.1 dst=10.0.0.2 sport=7 dport=9 packets=2 bytes=88 src=10.0.0.2 dst=10.0.0.1 sport=9 dport=7 use=1',
  'conntrack v1.4.7 (conntrack-tools): 4 flow entries have been shown.',
  '',
].join('\n');

describe('what conntrack -L prints', () => {
  it('are flows with both directions; other protocols and remarks are left out', () => {
    const flows = parseConntrack(text, 'ipv4');
    expect(flows.map(({ protocol }) => protocol)).toEqual(['udp', 'tcp', 'sctp']);
    expect(flows[0]).toEqual({
      family: 'ipv4',
      protocol: 'udp',
      original: { source: '10.244.1.2', destination: '10.96.0.10', sourcePort: 40000, destinationPort: 53 },
      reply: { source: '10.244.2.3', destination: '10.244.1.2', sourcePort: 53, destinationPort: 40000 },
    });
  });

  it('a line cut off in the middle is no flow', () => {
    expect(parseConntrack(text.slice(0, 90), 'ipv4')).toEqual([]);
  });

  it('a flow is deleted by all that tells it from others', () => {
    const [flow] = parseConntrack(text, 'ipv4');
    expect(deleteArguments(flow!).join(' ')).toBe(
      '-D -f ipv4 -p udp --orig-src 10.244.1.2 --orig-dst 10.96.0.10 --sport 40000 --dport 53 ' +
        '--reply-src 10.244.2.3 --reply-dst 10.244.1.2 --reply-port-src 53 --reply-port-dst 40000',
    );
  });
});
