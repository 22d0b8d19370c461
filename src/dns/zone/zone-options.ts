/** How the kubernetes plugin answers: its block in the Corefile. */
export interface ZoneOptions {
  /** Absolute, lower case; the first one that is not a reverse zone names the targets of PTR records. */
  readonly zones: readonly string[];
  readonly podMode: 'disabled' | 'insecure' | 'verified';
  /** Seconds, 0 to 3600. */
  readonly ttl: number;
  /** Empty means all. */
  readonly namespaces: readonly string[];
  readonly endpointPodNames: boolean;
  readonly ignoreEmptyService: boolean;
  readonly noEndpoints: boolean;
  readonly zonal: boolean;
  readonly multiclusterZones: readonly string[];
}

/** What the kubernetes plugin does with an empty block. */
export const defaultZoneOptions: ZoneOptions = {
  zones: ['cluster.local.'],
  podMode: 'disabled',
  ttl: 5,
  namespaces: [],
  endpointPodNames: false,
  ignoreEmptyService: false,
  noEndpoints: false,
  zonal: false,
  multiclusterZones: [],
};
