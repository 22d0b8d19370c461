export interface DefaultCorefileOptions {
  /** Without dots at its ends; default `cluster.local`. */
  readonly clusterDomain?: string;
  /** Where names outside the cluster are asked: addresses or a file; default `/etc/resolv.conf`. */
  readonly forwardTo?: string;
}

/** The Corefile that kubeadm installs today. */
export function defaultCorefile(options: DefaultCorefileOptions = {}): string {
  const { clusterDomain = 'cluster.local', forwardTo = '/etc/resolv.conf' } = options;
  return `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes ${clusterDomain} in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . ${forwardTo} {
       max_concurrent 1000
    }
    cache 30 {
       disable success ${clusterDomain}
       disable denial ${clusterDomain}
    }
    loop
    reload
    loadbalance
}
`;
}
