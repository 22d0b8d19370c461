import manifest from '../../package.json' with { type: 'json' };

/** towtank's own version, from package.json. */
export function towtankVersion(): string {
  return manifest.version;
}

/** The Kubernetes version that the API server says it is. */
export const KUBERNETES_VERSION = 'v1.36.0';
