import { canonicalAddress, familyOf } from '../../ipam/address.ts';
import { addressesOf, type CIDR, contains, parseCIDR, printCIDR } from '../../ipam/cidr.ts';
import type { LoadBalancerIngress, Service } from '../../kube/generated/types.ts';
import { keyOf, resources } from '../../kube/resources.ts';
import { isSemanticallyEqual } from '../../kube/semantic-equality.ts';
import type { ControllersConfig } from '../config.ts';
import type { ControllerContext } from '../loop/controller-context.ts';
import { ControllerLoop } from '../loop/controller-loop.ts';

/** Marks Services whose load balancer is ours to clean up, with the name that every cloud's controller uses. */
const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

type Options = Pick<ControllersConfig, 'loadBalancerCIDRs' | 'loadBalancerClass' | 'loadBalancerIPMode'>;

/** Gives LoadBalancer Services an address of each of their families, as a cloud would; who announces it is up to the network. */
export function startLoadBalancerController(context: ControllerContext, options: Options): Disposable {
  return new LoadBalancerController(context, options).loop;
}

class LoadBalancerController {
  readonly loop: ControllerLoop;
  readonly #context: ControllerContext;
  readonly #options: Options;
  readonly #pools: readonly CIDR[];
  /** Addresses that Services hold, by whom: those in their status and those just being written. */
  readonly #held = new Map<string, string>();

  constructor(context: ControllerContext, options: Options) {
    this.#context = context;
    this.#options = options;
    this.#pools = (options.loadBalancerCIDRs ?? []).map(parseCIDR);
    const services = context.informers.for(resources.services);
    services.onChange(({ key, previous, current }) => this.#note(key, previous, current));
    this.loop = new ControllerLoop(context, {
      name: 'service-lb',
      component: 'service-controller',
      reconcile: (key) => this.#reconcile(key),
    }).watch(services, (service) => (this.#isOurs(service) || isMarked(service) ? [keyOf(service)] : []));
  }

  async #reconcile(key: string): Promise<void> {
    const service = this.#context.informers.for(resources.services).get(key);
    if (service === undefined) return this.loop.fence.forget(key);
    if (!this.#isOurs(service) || service.metadata?.deletionTimestamp !== undefined) return this.#cleanUp(service);
    const ingress = this.#chooseIngress(service);
    if (ingress === undefined) return;
    const marked = await this.#mark(service);
    if (isSemanticallyEqual(ingress, marked.status?.loadBalancer?.ingress)) return;
    this.#tell(service, 'EnsuringLoadBalancer', 'Ensuring load balancer');
    await this.#writeStatus(marked, ingress);
    this.#tell(service, 'EnsuredLoadBalancer', 'Ensured load balancer');
  }

  #isOurs({ spec }: Service): boolean {
    const { loadBalancerClass: own = 'towtank.dev/load-balancer' } = this.#options;
    return spec?.type === 'LoadBalancer' && (spec.loadBalancerClass === undefined || spec.loadBalancerClass === own);
  }

  // Keeps what the Service has; takes what it asks for if that is free; else the first free address of each family.
  #chooseIngress(service: Service): readonly LoadBalancerIngress[] | undefined {
    const key = keyOf(service);
    const { ipFamilies = [], loadBalancerIP = '' } = service.spec ?? {};
    const wish = canonicalAddress(loadBalancerIP);
    const present = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
    const ipMode = this.#options.loadBalancerIPMode ?? 'VIP';
    const ingress: LoadBalancerIngress[] = [];
    for (const pool of this.#pools.filter(({ family }) => ipFamilies.includes(family))) {
      const asked = wish !== undefined && familyOf(wish) === pool.family;
      const own = asked ? [wish] : present.filter((address) => contains(pool, address));
      const kept = own.find((address) => this.#isFree(address, key, pool));
      const ip = asked ? kept : (kept ?? this.#firstFree(key, pool));
      if (ip === undefined) return this.#refuse(service, asked ? wish : printCIDR(pool));
      this.#held.set(ip, key);
      ingress.push({ ip, ipMode });
    }
    ingress.sort((a, b) => ipFamilies.indexOf(familyOf(a.ip!)!) - ipFamilies.indexOf(familyOf(b.ip!)!));
    return ingress.length > 0 ? ingress : undefined;
  }

  #isFree(address: string, key: string, pool: CIDR): boolean {
    return contains(pool, address) && (this.#held.get(address) ?? key) === key;
  }

  #firstFree(key: string, pool: CIDR): string | undefined {
    for (const address of addressesOf({ ...pool, first: pool.first + 1n }))
      if (this.#isFree(address, key, pool)) return address;
    return undefined;
  }

  #refuse(service: Service, what: string): undefined {
    const message = `Error syncing load balancer: failed to ensure load balancer: no free address in ${what}`;
    this.loop.recorder.record(resources.services, service, {
      type: 'Warning',
      reason: 'SyncLoadBalancerFailed',
      message,
    });
    return undefined;
  }

  async #mark(service: Service): Promise<Service> {
    if (isMarked(service)) return service;
    const finalizers = [...(service.metadata?.finalizers ?? []), FINALIZER];
    return this.#writeFinalizers(service, finalizers);
  }

  async #cleanUp(service: Service): Promise<void> {
    if (!isMarked(service)) return;
    this.#tell(service, 'DeletingLoadBalancer', 'Deleting load balancer');
    const cleared = service.status?.loadBalancer?.ingress?.length ? await this.#writeStatus(service, []) : service;
    const rest = cleared.metadata?.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
    await this.#writeFinalizers(cleared, rest);
    this.#tell(service, 'DeletedLoadBalancer', 'Deleted load balancer');
  }

  async #writeFinalizers(service: Service, finalizers: readonly string[]): Promise<Service> {
    const { namespace, name = '', uid, resourceVersion } = service.metadata ?? {};
    const { client, informers } = this.#context;
    const patch = { type: 'merge', body: { metadata: { uid, resourceVersion, finalizers } } } as const;
    const written = await client.patch(resources.services, { namespace, name }, patch);
    this.loop.fence.expectWritten(keyOf(service), informers.for(resources.services), written);
    return written;
  }

  async #writeStatus(service: Service, ingress: readonly LoadBalancerIngress[]): Promise<Service> {
    const { namespace, name = '', uid } = service.metadata ?? {};
    const { client, informers } = this.#context;
    const body = { metadata: { uid }, status: { loadBalancer: { ingress: ingress.length > 0 ? ingress : null } } };
    const written = await client.patch(
      resources.services,
      { namespace, name },
      { type: 'merge', body },
      { subresource: 'status' },
    );
    this.loop.fence.expectWritten(keyOf(service), informers.for(resources.services), written);
    return written;
  }

  #note(key: string, previous: Service | undefined, current: Service | undefined): void {
    const of = (service: Service | undefined): readonly string[] =>
      (service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => ip ?? []);
    const before = of(previous);
    const after = of(current);
    for (const ip of before) if (!after.includes(ip) && this.#held.get(ip) === key) this.#held.delete(ip);
    if (current === undefined) for (const [ip, holder] of this.#held) if (holder === key) this.#held.delete(ip);
    for (const ip of after) if (!this.#held.has(ip)) this.#held.set(ip, key);
    if (before.some((ip) => !after.includes(ip))) this.#wakeWaiting();
  }

  // An address has become free: perhaps a Service waits for one.
  #wakeWaiting(): void {
    for (const service of this.#context.informers.for(resources.services).list()) {
      if (this.#isOurs(service) && !service.status?.loadBalancer?.ingress?.length) this.loop.enqueue(keyOf(service));
    }
  }

  #tell(service: Service, reason: string, message: string): void {
    this.loop.recorder.record(resources.services, service, { type: 'Normal', reason, message });
  }
}

function isMarked({ metadata }: Service): boolean {
  return metadata?.finalizers?.includes(FINALIZER) ?? false;
}
