import type { KubeClient } from '../../kube/client.ts';
import type { TokenRequest } from '../../kube/generated/types.ts';
import { type KubeObject, type ResourceType, resources } from '../../kube/resources.ts';
import type { IssueToken } from '../../kubelet/runtime/pod-files.ts';

/** Gets service account tokens as a kubelet does: from the token subresource of the ServiceAccount. */
export function issueTokenThrough(client: KubeClient): IssueToken {
  return async ({ namespace, serviceAccountName, audience, expirationSeconds, pod }) => {
    const request: TokenRequest & KubeObject = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { name: serviceAccountName, namespace },
      spec: {
        audiences: audience === undefined ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: pod.name, uid: pod.uid },
      },
    };
    const type = resources.serviceAccounts as ResourceType as ResourceType<TokenRequest & KubeObject>;
    const { status } = await client.create(type, request, { subresource: 'token' });
    return { token: status?.token ?? '' };
  };
}
