import { parseAllDocuments } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import { readKubeProxyConfiguration } from '../../proxy/config/read-kube-proxy-configuration.ts';
import { buildOffline, offlineJson, parsePacketQuestion, printOffline } from '../../proxy/offline.ts';

/** A file that was read: its name for errors, and its text. */
export interface NamedText {
  readonly file: string;
  readonly text: string;
}

export interface RulesRequest {
  /** Services, EndpointSlices, Nodes, ServiceCIDRs, lists of them: YAML or JSON. */
  readonly objects: readonly NamedText[];
  readonly nodeName: string;
  readonly mode: 'iptables' | 'nftables';
  /** A KubeProxyConfiguration. */
  readonly config?: NamedText | undefined;
  readonly nodeIPs: readonly string[];
  readonly family?: 'ipv4' | 'ipv6' | undefined;
  /** `src=10.244.1.5 dst=10.96.0.10:80/tcp from=pod`. */
  readonly packets: readonly string[];
  readonly output: 'text' | 'json';
}

/** Prints what the proxy of a node would write for these objects, and the way of packets through it; no cluster, no privilege. */
export function printRules(request: RulesRequest): string {
  const { nodeName, mode, config, nodeIPs, family, packets } = request;
  const questions = packets.map(parsePacketQuestion);
  const result = buildOffline(request.objects.flatMap(documentsOf), {
    nodeName,
    mode,
    nodeIPs,
    packets: questions,
    ...(config ? { config: readKubeProxyConfiguration(config.text, config.file, { mode }).config } : {}),
    ...(family ? { families: [family] } : {}),
  });
  return request.output === 'json' ? `${JSON.stringify(offlineJson(result), undefined, 2)}\n` : printOffline(result);
}

function documentsOf({ file, text }: NamedText): readonly unknown[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [problem] = document.errors;
    if (problem)
      throw new UserError({
        code: 'ERR_INVALID_MANIFEST',
        message: `${file}: ${problem.message}`,
        hint: 'the file must be YAML or JSON, as kubectl get -o yaml prints it',
      });
    const value: unknown = document.toJS();
    return value === null || value === undefined ? [] : [value];
  });
}
