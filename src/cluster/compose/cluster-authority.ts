import { createAuthority, type KeyPair } from '../../apiserver/certificates/cluster-certificates.ts';
import { hasCode } from '../../errors/towtank-error.ts';
import type { Store } from '../../store/store.ts';

const KEY = '/towtank/certificate-authority';

/** The cluster's certificate authority: it lives in the store, so that kubeconfigs outlive a restart and all servers sign alike. */
export async function ensureAuthority(store: Store, now: number): Promise<KeyPair> {
  for (;;) {
    const known = store.get(KEY);
    if (known) return JSON.parse(known.value.toString()) as KeyPair;
    try {
      await store.commit([{ key: KEY, value: Buffer.from(JSON.stringify(createAuthority(now))), expect: 0 }]);
    } catch (error) {
      // Another server was quicker: its authority is ours.
      if (!hasCode(error, 'ERR_STORE_CONFLICT')) throw error;
    }
  }
}
