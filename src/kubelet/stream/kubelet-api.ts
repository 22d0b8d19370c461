import { Readable } from 'node:stream';
import type { Pod } from '../../kube/generated/types.ts';
import type { LogOptions } from '../../kube/kubelet-connection.ts';
import type { NodeRequest, NodeResponse } from '../../kube/node-proxy.ts';
import type { ContainerLog } from '../container/container-log.ts';
import type { PodWorker } from '../pod/pod-worker.ts';

/** What the HTTP interface of a kubelet tells of. */
export interface KubeletApiSource {
  readonly nodeName: string;
  readonly workers: ReadonlyMap<string, PodWorker>;
}

/** Answers a request to the HTTP interface of a kubelet: /healthz, /pods, /runningpods, /logs/, /containerLogs/, /metrics. */
export function answerKubeletApi(source: KubeletApiSource, { method, path }: NodeRequest): NodeResponse {
  const url = new URL(path, 'http://kubelet');
  const [root = '', ...rest] = decodeURIComponent(url.pathname).split('/').slice(1);
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Method Not Allowed\n');
  switch (root) {
    case 'healthz':
      return plain(200, 'ok');
    case 'pods':
      return json(podList([...source.workers.values()]));
    case 'runningpods':
      return json(podList([...source.workers.values()].filter(({ status }) => status.phase === 'Running')));
    case 'metrics':
      return plain(200, metrics(source), 'text/plain; version=0.0.4; charset=utf-8');
    case 'logs':
      return answerLogs(source, rest.filter(Boolean));
    case 'containerLogs':
      return answerContainerLog(source, rest, url.searchParams);
    default:
      return plain(404, '404 page not found\n');
  }
}

function podList(workers: readonly PodWorker[]) {
  const items = workers.map(({ pod, status }): Pod => ({ ...pod, apiVersion: 'v1', kind: 'Pod', status }));
  return { kind: 'PodList', apiVersion: 'v1', metadata: {}, items };
}

function metrics({ nodeName, workers }: KubeletApiSource): string {
  const all = [...workers.values()];
  const containers = all.flatMap(({ status }) => status.containerStatuses ?? []);
  const running = containers.filter(({ state }) => state?.running !== undefined).length;
  return [
    "# HELP kubelet_node_name The node's name. The count is always 1.",
    '# TYPE kubelet_node_name gauge',
    `kubelet_node_name{node="${nodeName}"} 1`,
    '# HELP kubelet_running_containers Number of containers currently running',
    '# TYPE kubelet_running_containers gauge',
    `kubelet_running_containers{container_state="running"} ${running}`,
    `kubelet_running_containers{container_state="exited"} ${containers.length - running}`,
    '# HELP kubelet_running_pods Number of pods that have a running pod sandbox',
    '# TYPE kubelet_running_pods gauge',
    `kubelet_running_pods ${all.filter(({ sandbox }) => sandbox !== undefined).length}`,
    '',
  ].join('\n');
}

// The tree that a node has below /var/log, as far as it exists here: pods/NAMESPACE_NAME_UID/CONTAINER/RESTARTS.log.
function answerLogs({ workers }: KubeletApiSource, [top, folder, container, file]: readonly string[]): NodeResponse {
  if (top === undefined) return listing(['pods/']);
  if (top !== 'pods') return plain(404, '404 page not found\n');
  if (folder === undefined) return listing([...workers.values()].map((worker) => `${logFolder(worker)}/`));
  const worker = [...workers.values()].find((candidate) => logFolder(candidate) === folder);
  const statuses = [...(worker?.status.initContainerStatuses ?? []), ...(worker?.status.containerStatuses ?? [])];
  if (worker === undefined) return plain(404, '404 page not found\n');
  if (container === undefined) return listing(statuses.map(({ name }) => `${name}/`));
  const status = statuses.find(({ name }) => name === container);
  const record = worker.container(container);
  if (status === undefined || record === undefined) return plain(404, '404 page not found\n');
  const { restartCount } = status;
  const logs = new Map<string, ContainerLog>();
  if (record.previousLog !== undefined) logs.set(`${restartCount - 1}.log`, record.previousLog);
  if (record.log !== undefined) logs.set(`${restartCount}.log`, record.log);
  if (file === undefined) return listing([...logs.keys()]);
  const log = logs.get(file);
  return log === undefined ? plain(404, '404 page not found\n') : text(log.open({ timestamps: true }));
}

function answerContainerLog(
  { workers }: KubeletApiSource,
  [namespace, name, container = '']: readonly string[],
  query: URLSearchParams,
): NodeResponse {
  const worker = [...workers.values()].find(
    ({ pod }) => pod.metadata?.namespace === namespace && pod.metadata?.name === name,
  );
  if (worker === undefined) return plain(404, `pod "${name}" does not exist\n`);
  const record = worker.container(container);
  const log = query.get('previous') === 'true' ? record?.previousLog : record?.log;
  if (log === undefined) return plain(404, `container "${container}" of pod "${name}" has no log\n`);
  return text(log.open(logOptions(query)));
}

function logOptions(query: URLSearchParams): LogOptions {
  const number = (name: string): number | undefined => {
    const value = query.get(name);
    return value !== null && /^\d+$/.test(value) ? Number(value) : undefined;
  };
  return {
    follow: query.get('follow') === 'true',
    timestamps: query.get('timestamps') === 'true',
    tailLines: number('tailLines'),
    sinceSeconds: number('sinceSeconds'),
    limitBytes: number('limitBytes'),
  };
}

function logFolder({ pod }: PodWorker): string {
  const { namespace, name, uid } = pod.metadata ?? {};
  return `${namespace}_${name}_${uid}`;
}

function listing(names: readonly string[]): NodeResponse {
  const links = names.map((name) => `<a href="${encodeURI(name)}">${name}</a>\n`);
  return plain(
    200,
    `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${links.join('')}</pre>\n`,
    'text/html; charset=utf-8',
  );
}

function json(value: unknown): NodeResponse {
  return plain(200, JSON.stringify(value), 'application/json');
}

function plain(status: number, body: string, type = 'text/plain; charset=utf-8'): NodeResponse {
  const headers = { 'content-type': type, 'content-length': String(Buffer.byteLength(body)) };
  return { status, headers, body: Readable.from([body]) };
}

function text(body: Readable): NodeResponse {
  return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}
