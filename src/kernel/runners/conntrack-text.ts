import type { ConntrackFlow, Family } from '../../netfilter/runner.ts';

/** Parses what `conntrack -L` prints, a flow a line; lines of other protocols are left out. */
export function parseConntrack(text: string, family: Family): ConntrackFlow[] {
  const flows: ConntrackFlow[] = [];
  for (const line of text.split('\n')) {
    const flow = parseFlow(line, family);
    if (flow !== undefined) flows.push(flow);
  }
  return flows;
}

/** The arguments of `conntrack -D` that delete exactly this flow. */
export function deleteArguments(flow: ConntrackFlow): readonly string[] {
  const { family, protocol, original, reply } = flow;
  return [
    ['-D', '-f', family, '-p', protocol],
    ['--orig-src', original.source, '--orig-dst', original.destination],
    ['--sport', String(original.sourcePort), '--dport', String(original.destinationPort)],
    ['--reply-src', reply.source, '--reply-dst', reply.destination],
    ['--reply-port-src', String(reply.sourcePort), '--reply-port-dst', String(reply.destinationPort)],
  ].flat();
}

// `udp 17 29 src=10.0.0.1 dst=10.96.0.10 sport=5 dport=53 [UNREPLIED] src=10.1.0.2 dst=10.0.0.1 sport=53 dport=5 mark=0 use=1`
function parseFlow(line: string, family: Family): ConntrackFlow | undefined {
  const protocol = line.slice(0, line.indexOf(' '));
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') return undefined;
  const tuple = { src: [] as string[], dst: [] as string[], sport: [] as string[], dport: [] as string[] };
  for (const word of line.split(' ')) {
    const at = word.indexOf('=');
    const values = tuple[word.slice(0, at) as keyof typeof tuple];
    if (at > 0 && values !== undefined) values.push(word.slice(at + 1));
  }
  if (tuple.src.length < 2 || tuple.dport.length < 2) return undefined;
  const side = (i: 0 | 1) => ({
    source: tuple.src[i]!,
    destination: tuple.dst[i]!,
    sourcePort: Number(tuple.sport[i]),
    destinationPort: Number(tuple.dport[i]),
  });
  return { family, protocol, original: side(0), reply: side(1) };
}
