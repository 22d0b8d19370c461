import type { FlowSchema, PriorityLevelConfiguration } from '../../kube/generated/types.ts';
import { sameValue } from '../machinery/api-object.ts';
import { AUTO_UPDATE } from './bootstrap-configuration.ts';

type Configured = FlowSchema | PriorityLevelConfiguration;

const bools: Readonly<Record<string, boolean>> = Object.fromEntries([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false]),
]);

/** What the annotation of an object says about its spec; undefined when it says nothing that Go reads as a bool. */
export function autoUpdates({ metadata }: Configured): boolean | undefined {
  const text = metadata?.annotations?.[AUTO_UPDATE] ?? '';
  return Object.hasOwn(bools, text) ? bools[text] : undefined;
}

/**
 * The object as the server wants it, given the one that it would make itself; undefined when nothing is to be changed. A
 * mandatory object always gets its spec back, a suggested one while its annotation says true, or says nothing and nobody
 * has changed it.
 */
export function reviseConfiguration<T extends Configured>(live: T, wanted: T, isMandatory: boolean): T | undefined {
  const said = autoUpdates(live);
  const updates = isMandatory || (said ?? live.metadata?.generation === 1);
  const isSpecStale = updates && !sameValue(comparable(live, wanted), live.spec);
  if (!isSpecStale && said === updates) return undefined;
  const annotations = { ...live.metadata?.annotations, [AUTO_UPDATE]: String(updates) };
  return { ...live, metadata: { ...live.metadata, annotations }, spec: isSpecStale ? wanted.spec : live.spec };
}

// The shares of the exempt level are everybody's to set.
function comparable({ spec: live }: Configured, { spec: wanted }: Configured): unknown {
  return live && 'exempt' in live && live.exempt ? { ...wanted, exempt: live.exempt } : wanted;
}
