import { readFileSync } from 'node:fs';

/** towtank's own version, from package.json. */
export function towtankVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** The Kubernetes version that the API server says it is. */
export const KUBERNETES_VERSION = 'v1.36.0';
