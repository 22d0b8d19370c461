import { type Directive, parseCorefile, type ServerBlock } from '../corefile/parse-corefile.ts';
import { readKubernetes } from '../plugins/kubernetes.ts';
import { matchZone } from '../wire/name.ts';
import type { ZoneProvider } from '../zone/cluster-zone.ts';
import type { ZoneView } from '../zone/find-services.ts';
import { explainName } from './explain-name.ts';

/** Says why a cluster DNS answers as it does; undefined where nobody here knows. */
export type Explain = (name: string, type: number) => string | undefined;

interface ExplainedBlock {
  readonly zones: readonly string[];
  readonly view: ZoneView | undefined;
  /** Plugins that may answer, or change the question, before the cluster's zones are looked at. */
  readonly before: readonly string[];
  readonly forwards: boolean;
}

const IN_FRONT = ['rewrite', 'autopath', 'template', 'hosts', 'k8s_external'];

/**
 * Explains the answers of a cluster DNS with this Corefile; resolves once the cluster's objects are there. Throws
 * ERR_DNS_CONFIG when the Corefile is faulty.
 */
export async function explainAnswers(corefile: string, provider: ZoneProvider): Promise<Explain> {
  const blocks = parseCorefile({ text: corefile }).map((block) => readBlock(block, provider));
  await Promise.all(blocks.map(({ view }) => view?.state.whenSynced));
  return (name, type) => {
    const zones = blocks.flatMap((block) => block.zones);
    const zone = matchZone(zones, name.toLowerCase());
    const block = blocks.find((candidate) => zone !== undefined && candidate.zones.includes(zone));
    return block === undefined ? 'no block of the Corefile serves this name' : explainIn(block, name, type);
  };
}

function readBlock({ keys, directives }: ServerBlock, provider: ZoneProvider): ExplainedBlock {
  const zones = keys.map((key) => key.zone);
  const named = (name: string): Directive | undefined => directives.find((directive) => directive.name.text === name);
  const kubernetes = named('kubernetes');
  return {
    zones,
    view: kubernetes && viewOf(kubernetes, zones, provider),
    before: IN_FRONT.filter((name) => named(name) !== undefined),
    forwards: named('forward') !== undefined,
  };
}

function viewOf(directive: Directive, blockZones: readonly string[], provider: ZoneProvider): ZoneView {
  const { zone, labels, namespaceLabels } = readKubernetes(directive, blockZones);
  const multicluster = zone.multiclusterZones.length > 0;
  const selection = { labels, namespaceLabels, pods: zone.podMode === 'verified', multicluster };
  return { state: provider.source(selection).state, options: zone };
}

function explainIn({ view, before, forwards }: ExplainedBlock, name: string, type: number): string | undefined {
  const own = view && explainName(view, name, type);
  const why = own ?? (forwards ? 'no zone of the cluster: it is forwarded' : 'no zone of the cluster, and no forward');
  return before.length === 0 ? why : `${why} (unless ${before.join(', ')} of the Corefile says otherwise)`;
}
