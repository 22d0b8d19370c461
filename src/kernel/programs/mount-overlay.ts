import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { SystemCallError } from '../../errors/system-call-error.ts';
import { systemCall } from '../ffi/system-calls.ts';
import { type MountTarget, mirrorFolder, mirrorTarget } from './mount-targets.ts';

export interface OverlayOptions {
  /** A folder on a tmpfs for what is changed; `layer` is not below `lower`'s file system. */
  readonly layer: string;
  readonly target: string;
  /** Targets below `lower` that do not exist. */
  readonly missing: readonly MountTarget[];
}

/** Shows `lower` at `target` so that it can be changed without changing it. Throws ERR_SYSCALL where overlays are refused. */
export function mountOverlay(lower: string, { layer, target, missing }: OverlayOptions): void {
  const [upper, work] = [join(layer, 'upper'), join(layer, 'work')];
  mkdirSync(work, { recursive: true });
  mirrorFolder(lower, upper);
  // Made in the upper layer before it is one, they need no right to write to the host's folders.
  for (const each of missing) mirrorTarget(lower, upper, each);
  const places = { lowerdir: lower, upperdir: upper, workdir: work };
  const options = Object.entries(places).map(([name, path]) => `${name}=${path.replace(/[\\,:]/g, '\\$&')}`);
  const mount = (extra: readonly string[]): void => {
    systemCall('mount', ['overlay', target, 'overlay', 0, [...options, ...extra].join(',')], {
      subject: `layer over ${lower}`,
    });
  };
  try {
    mount([]);
  } catch (error) {
    // In a user namespace the marks of an overlay have to be attributes that users may set.
    if (!(error instanceof SystemCallError)) throw error;
    mount(['userxattr']);
  }
}
