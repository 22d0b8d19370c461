import type { KubeletConnection } from '../kube/kubelet-connection.ts';
import type { NodeProxy } from '../kube/node-proxy.ts';
import type { AuditSink } from './access/audit.ts';
import type { StaticTokens } from './access/authenticate.ts';
import type { RbacAuthorizer } from './access/rbac-authorizer.ts';
import type { ServiceAccountTokens } from './access/service-account-tokens.ts';
import type { CustomResources } from './customresources/custom-resources.ts';
import type { HealthCheck } from './http/health.ts';
import type { Machinery } from './machinery/machinery.ts';
import type { SchemaCatalog } from './schema/schema-catalog.ts';

/** What the HTTP side of a server is made of. */
export interface ServerParts {
  readonly machinery: Machinery;
  readonly catalog: SchemaCatalog;
  readonly authorizer: RbacAuthorizer;
  readonly tokens: ServiceAccountTokens;
  readonly custom: CustomResources;
  readonly staticTokens?: StaticTokens | undefined;
  readonly kubelet?: KubeletConnection | undefined;
  readonly proxy?: NodeProxy | undefined;
  readonly admitsLoopback?: ((address: string) => boolean) | undefined;
  readonly gitVersion?: string | undefined;
  readonly checks: readonly HealthCheck[];
  readonly audit?: AuditSink | undefined;
  /** Told of every answer 500: a bug, with its stack. */
  readonly onError: (error: unknown) => void;
}
