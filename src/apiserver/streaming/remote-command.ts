import type { Duplex } from 'node:stream';
import type { Pod, Status } from '../../kube/generated/types.ts';
import type { ExitStatus, KubeletConnection, ProcessStreams } from '../../kube/kubelet-connection.ts';
import type { ApiReply, ApiRequest } from '../http/api-request.ts';
import { findEntry } from '../http/read-verbs.ts';
import { readBoolean } from '../http/request-options.ts';
import { asStatusError } from '../http/send-reply.ts';
import { badRequest, invalidObject } from '../machinery/errors.ts';
import { storedObject } from '../machinery/stored-object.ts';
import { methodNotAllowed } from '../subresources/object-subresources.ts';
import type { SubresourceHandler } from '../subresources/subresource-hooks.ts';
import { required } from '../validation/field-errors.ts';
import type { CommandChannels, CommandStreams } from './command-channels.ts';
import { openSpdyCommand, SPDY_COMMAND_PROTOCOLS } from './spdy-command.ts';
import { targetContainer } from './target-container.ts';
import { acceptSpdy, acceptWebSocket, chooseSpdyProtocol, upgradeProtocol } from './upgrade.ts';
import { openWebSocketCommand, WEBSOCKET_COMMAND_PROTOCOLS } from './websocket-command.ts';

type Run = (streams: ProcessStreams) => Promise<ExitStatus>;

/** GET or POST of pods/NAME/exec and pods/NAME/attach. */
export function remoteCommandHandler(kind: 'exec' | 'attach', kubelet: KubeletConnection): SubresourceHandler {
  return async ({ machinery, resource, info, request }) => {
    if (info.verb !== 'get' && info.verb !== 'create') throw methodNotAllowed();
    const pod: Pod = storedObject(await findEntry(machinery, resource, info));
    const streams = readStreams(request);
    const command = request.query.getAll('command');
    validate(kind, command, streams);
    const container = targetContainer(pod, request.query.get('container') ?? '');
    if (!pod.spec?.nodeName) throw badRequest(`pod ${info.name} does not have a host assigned`);
    const run: Run = (processStreams) =>
      kind === 'exec'
        ? kubelet.exec(pod, container, { ...processStreams, command })
        : kubelet.attach(pod, container, processStreams);
    return upgradeReply(request, streams, run);
  };
}

function readStreams({ query }: ApiRequest): CommandStreams {
  const flag = (name: string): boolean => query.has(name) && readBoolean(query.get(name) ?? '');
  return { stdin: flag('stdin'), stdout: flag('stdout'), stderr: flag('stderr'), tty: flag('tty') };
}

function validate(kind: 'exec' | 'attach', command: readonly string[], streams: CommandStreams): void {
  if (kind === 'exec' && command.length === 0) {
    throw invalidObject({ group: '', kind: 'PodExecOptions' }, '', [required('command')]);
  }
  if (!streams.stdin && !streams.stdout && !streams.stderr) {
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  }
}

function upgradeReply(request: ApiRequest, streams: CommandStreams, run: Run): ApiReply {
  if (upgradeProtocol(request) === 'websocket') {
    const take = (socket: Duplex, head: Buffer): void => void overWebSocket(request, { socket, head }, streams, run);
    return { type: 'upgrade', take };
  }
  const protocol = chooseSpdyProtocol(request, SPDY_COMMAND_PROTOCOLS);
  return {
    type: 'upgrade',
    take: (socket, head) => {
      acceptSpdy(socket, protocol);
      if (head.length > 0) socket.unshift(head);
      void openSpdyCommand({ socket, protocol, streams }).then(
        (channels) => channels && runCommand(channels, streams, run),
      );
    },
  };
}

async function overWebSocket(
  request: ApiRequest,
  { socket, head }: { readonly socket: Duplex; readonly head: Buffer },
  streams: CommandStreams,
  run: Run,
): Promise<void> {
  const upgrade = { request: request.raw, socket, head, protocols: WEBSOCKET_COMMAND_PROTOCOLS };
  await runCommand(openWebSocketCommand(await acceptWebSocket(upgrade), streams), streams, run);
}

/** Runs to the end and tells the client how it went. */
async function runCommand(channels: CommandChannels, { tty }: CommandStreams, run: Run): Promise<void> {
  const { stdin, stdout, stderr, resize, signal } = channels;
  try {
    channels.finish(exitStatus(await run({ stdin, stdout, stderr, resize, tty, signal })));
  } catch (error) {
    channels.finish(asStatusError(error).toStatus());
  }
}

function exitStatus({ exitCode }: ExitStatus): Status {
  if (exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}
