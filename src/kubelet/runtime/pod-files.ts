import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, normalize } from 'node:path/posix';
import type { Clock } from '../../kube/clock.ts';
import type { Container, EphemeralContainer, HostPathVolumeSource, Pod, Volume } from '../../kube/generated/types.ts';
import { buildResolvConf, type NodeDns, printResolvConf } from '../../kube/resolv-conf.ts';
import { expandVariables } from '../container/expand-variables.ts';
import type { PodObjects } from '../environment/build-environment.ts';
import type { NodeResources } from '../environment/resource-value.ts';
import { buildHostNetworkHostsFile, buildHostsFile } from '../files/hosts-file.ts';
import type { PodHostname } from '../files/pod-hostname.ts';
import { volumeFiles } from '../files/volume-files.ts';
import { type ContentFile, writeVolume } from '../files/write-volume.ts';

/** What is asked of the API server for a projected service account token. */
export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly pod: { readonly name: string; readonly uid: string };
  /** Undefined means the API server's own. */
  readonly audience: string | undefined;
  readonly expirationSeconds: number;
}

/** Issues tokens of service accounts. */
export type IssueToken = (request: TokenRequest) => Promise<{ readonly token: string }>;

export interface PodFilesOptions {
  /** A folder for this pod alone; made when first needed. */
  readonly directory: string;
  readonly pod: () => Pod;
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly hostname: PodHostname;
  readonly dns: NodeDns;
  readonly node: NodeResources;
  readonly objects: PodObjects;
  readonly issueToken: IssueToken;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
}

/** A bind mount of a container. */
export interface ContainerMount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

const TOKEN_SECONDS = 3600;
// The kubelet asks for a new token when a fifth of its time is left.
const TOKEN_REFRESH = 0.8;
const DEFAULT_TERMINATION_LOG = '/dev/termination-log';

/** The files of one pod on the host: hosts, resolv.conf, hostname and volumes, written when a program first needs them. */
export class PodFiles {
  readonly #options: PodFilesOptions;
  #ready: Promise<void> | undefined;
  #refresh: Disposable | undefined;
  #removed = false;

  constructor(options: PodFilesOptions) {
    this.#options = options;
  }

  /** Writes everything that is not there yet; rejects with VolumeError or the file system's error, and tries again next time. */
  ensure(): Promise<void> {
    this.#ready ??= this.#write().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    return this.#ready;
  }

  /** The files that replace the host's for every program of the pod. */
  get replacements(): Readonly<Record<string, string>> {
    const { directory } = this.#options;
    return {
      '/etc/hosts': join(directory, 'etc-hosts'),
      '/etc/resolv.conf': join(directory, 'resolv.conf'),
      ...(existsSync('/etc/hostname') ? { '/etc/hostname': join(directory, 'hostname') } : {}),
    };
  }

  /** The volume mounts of a container; creates sub paths that do not exist yet. */
  async mounts(
    container: Container | EphemeralContainer,
    env: Readonly<Record<string, string>>,
  ): Promise<readonly ContainerMount[]> {
    const mounts: ContainerMount[] = [];
    for (const mount of container.volumeMounts ?? []) {
      const volume = this.#options.pod().spec?.volumes?.find(({ name }) => name === mount.name);
      if (volume === undefined)
        throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
      const subPath = mount.subPathExpr ? expandVariables(mount.subPathExpr, env) : (mount.subPath ?? '');
      const source = await withSubPath(this.#source(volume), subPath);
      const isFixed = volume.emptyDir === undefined && volume.hostPath === undefined;
      mounts.push({ source, target: join('/', mount.mountPath), readOnly: mount.readOnly === true || isFixed });
    }
    return mounts;
  }

  /** Where a path of a container lies on the host if one of its volumes covers it. */
  async hostPath(container: Container | EphemeralContainer, path: string): Promise<string | undefined> {
    const covering = (container.volumeMounts ?? []).filter(({ mountPath }) => isInside(path, mountPath));
    const deepest = covering.sort((a, b) => b.mountPath.length - a.mountPath.length)[0];
    if (deepest === undefined) return undefined;
    await this.ensure();
    const [mount] = await this.mounts({ ...container, volumeMounts: [deepest] }, {});
    return mount && join(mount.source, normalize(path).slice(normalize(deepest.mountPath).length));
  }

  /** Brings volumes up to date that have been written already. */
  refresh(): Promise<void> {
    if (this.#ready === undefined || this.#removed) return Promise.resolve();
    // One after the other, and later failures are those of later refreshes.
    const written = this.#ready.then(() => this.#writeVolumes());
    this.#ready = written.catch(() => undefined);
    return written;
  }

  /** A file for a container's termination message, and where the container sees it. */
  async terminationLog(container: Container | EphemeralContainer): Promise<ContainerMount> {
    const source = join(this.#options.directory, `termination-log-${container.name}`);
    await writeFile(source, '', { mode: 0o666 });
    return { source, target: container.terminationMessagePath ?? DEFAULT_TERMINATION_LOG, readOnly: false };
  }

  /** Deletes all of it. */
  async remove(): Promise<void> {
    this.#removed = true;
    this.#refresh?.[Symbol.dispose]();
    if (this.#ready === undefined) return;
    await this.#ready.catch(() => undefined);
    await rm(this.#options.directory, { recursive: true, force: true });
  }

  async #write(): Promise<void> {
    const { directory, pod, hostname, podIPs, dns } = this.#options;
    const { hostNetwork, hostAliases = [] } = pod().spec ?? {};
    await mkdir(directory, { recursive: true, mode: 0o755 });
    const hosts = hostNetwork
      ? buildHostNetworkHostsFile(await readFile('/etc/hosts', 'utf8'), hostAliases)
      : buildHostsFile({ podIPs, hostname: hostname.shortName, hostDomain: hostname.domain, hostAliases });
    await writeFile(join(directory, 'etc-hosts'), hosts);
    await writeFile(join(directory, 'hostname'), `${hostname.hostname}\n`);
    await writeFile(join(directory, 'resolv.conf'), printResolvConf(buildResolvConf(pod(), dns).conf));
    await this.#writeVolumes();
    this.#scheduleTokens();
  }

  async #writeVolumes(): Promise<void> {
    for (const volume of this.#options.pod().spec?.volumes ?? []) {
      if (!this.#removed) await this.#writeVolume(volume);
    }
  }

  async #writeVolume(volume: Volume): Promise<void> {
    const { pod, podIPs, hostIPs, node, objects } = this.#options;
    const files = volumeFiles(volume, { pod: pod(), facts: { podIPs, hostIPs }, node, objects });
    if (volume.hostPath) return ensureHostPath(volume.hostPath);
    if (files === undefined) return makeSharedFolder(this.#source(volume));
    const contents = files.map(async ({ path, mode, content }): Promise<ContentFile> => {
      if (Buffer.isBuffer(content)) return { path, mode, content };
      return { path, mode, content: await this.#token(content.token) };
    });
    await writeVolume(this.#source(volume), await Promise.all(contents));
  }

  async #token(source: {
    readonly audience?: string | undefined;
    readonly expirationSeconds?: number | undefined;
  }): Promise<string> {
    const { issueToken, pod } = this.#options;
    const { name = '', namespace = '', uid = '' } = pod().metadata ?? {};
    const { token } = await issueToken({
      namespace,
      serviceAccountName: pod().spec?.serviceAccountName ?? 'default',
      pod: { name, uid },
      audience: source.audience || undefined,
      expirationSeconds: source.expirationSeconds ?? TOKEN_SECONDS,
    });
    return token;
  }

  #scheduleTokens(): void {
    const { pod, clock, onError } = this.#options;
    const sources = (pod().spec?.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []);
    const lifetimes = sources.flatMap(({ serviceAccountToken }) =>
      serviceAccountToken ? [serviceAccountToken.expirationSeconds ?? TOKEN_SECONDS] : [],
    );
    if (lifetimes.length === 0) return;
    this.#refresh = clock.schedule(Math.min(...lifetimes) * 1000 * TOKEN_REFRESH, () => {
      void this.refresh().then(() => this.#scheduleTokens(), onError);
    });
  }

  #source({ name, hostPath }: Volume): string {
    return hostPath?.path ?? join(this.#options.directory, 'volumes', name);
  }
}

function isInside(path: string, directory: string): boolean {
  const root = normalize(directory).replace(/\/$/, '');
  return normalize(path) === root || normalize(path).startsWith(`${root}/`);
}

async function withSubPath(source: string, subPath: string): Promise<string> {
  if (subPath === '') return source;
  const clean = normalize(subPath);
  if (clean.startsWith('/') || clean.split('/').includes('..')) {
    throw new Error(`unable to provision SubPath \`${subPath}\`: must not contain '..'`);
  }
  const path = join(source, clean);
  if (!existsSync(path)) await mkdir(path, { recursive: true, mode: 0o777 });
  return path;
}

// Whatever the umask is, programs of any user may write to it.
async function makeSharedFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  await chmod(path, 0o777);
}

async function ensureHostPath({ path, type = '' }: HostPathVolumeSource): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined && (type === 'DirectoryOrCreate' || type === ''))
    await mkdir(path, { recursive: true, mode: 0o755 });
  else if (found === undefined && type === 'FileOrCreate') await writeFile(path, '', { mode: 0o644 });
  else if (found === undefined) throw new Error(`hostPath type check failed: ${path} does not exist`);
  else if (type.startsWith('Directory') && !found.isDirectory())
    throw new Error(`hostPath type check failed: ${path} is not a directory`);
  else if (type.startsWith('File') && !found.isFile())
    throw new Error(`hostPath type check failed: ${path} is not a file`);
}
