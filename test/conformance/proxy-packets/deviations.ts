/** Where a vector's expectation is not ours, and why. Everything that is not listed here must agree. */
export const ourDeviations: Readonly<Record<string, string>> = {
  'dual-stack-wrong-family-slice/pod to ClusterIP':
    'A slice whose addresses do not fit its addressType cannot pass the API server. Up to 1.32 kube-proxy went by the ' +
    'address; since 1.33 it goes by addressType, and so do we.',
};

/** Where the rules that kube-proxy 1.30 wrote do not do what the vector expects: faults that later releases mended. */
export const recordedDeviations: Readonly<Record<string, string>> = {
  'nftables/mixed-six-services/node to external IP of an eTP Local service is short-circuited to cluster endpoints':
    'filter-output looked for services without endpoints before DNAT; since 1.33 the filter chains run after it.',
};
