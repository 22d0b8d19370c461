import { parseAllDocuments } from 'yaml';
import { UserError } from '../../errors/towtank-error.ts';
import { canonicalAddress } from '../../netfilter/address.ts';
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
  checkNode(request);
  const questions = packets.map(parsePacketQuestion);
  const objects = request.objects.flatMap(documentsOf);
  if (objects.length === 0) throw withoutObjects(request.objects);
  const result = buildOffline(objects, {
    nodeName,
    mode,
    nodeIPs,
    packets: questions,
    ...(config ? { config: readKubeProxyConfiguration(config.text, config.file, { mode }).config } : {}),
    ...(family ? { families: [family] } : {}),
  });
  return request.output === 'json' ? `${JSON.stringify(offlineJson(result), undefined, 2)}\n` : printOffline(result);
}

function checkNode({ nodeName, nodeIPs }: RulesRequest): void {
  const wrong = nodeIPs.find((address) => canonicalAddress(address) === undefined);
  if (nodeName !== '' && wrong === undefined) return;
  throw new UserError({
    code: 'ERR_USAGE',
    message: wrong === undefined ? '--node-name is empty' : `--node-ip: ${JSON.stringify(wrong)} is no IP address`,
    hint: 'they are the name and an address of the node whose proxy it is',
  });
}

// Rules of an empty cluster look right, and are none that anybody asked for: what should have come was lost on its way.
function withoutObjects(files: readonly NamedText[]): UserError {
  return new UserError({
    code: 'ERR_INVALID_MANIFEST',
    message: `there is no object in ${files.map(({ file }) => file).join(', ')}`,
    hint: 'give Services, EndpointSlices, Nodes and ServiceCIDRs as `kubectl get -o yaml` prints them',
  });
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
