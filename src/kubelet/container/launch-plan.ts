import { basename } from 'node:path/posix';
import type { Container, EphemeralContainer } from '../../kube/generated/types.ts';
import type { BuiltinImage } from '../images/builtin-image.ts';
import type { ImageStore } from '../images/image-store.ts';
import { parseImageReference } from '../images/parse-image-reference.ts';
import { expandVariables } from './expand-variables.ts';

/** What a container runs: a program of a built-in image, in process, or a program of the host. */
export type LaunchPlan =
  | { readonly kind: 'builtin'; readonly image: BuiltinImage; readonly args: readonly string[] }
  | { readonly kind: 'program'; readonly image: BuiltinImage | undefined; readonly command: readonly string[] };

/** An image that cannot be had; `reason` is the container's waiting reason. */
export class ImageError extends Error {
  readonly reason: 'ErrImagePull' | 'InvalidImageName' | 'ErrImageNeverPull';
  constructor(reason: ImageError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/**
 * Decides what a container runs from its image, command and args. The host's file system stands in for every image, so an
 * image that is not built in is fine as long as a command is given. Throws ImageError otherwise.
 */
export function planLaunch(
  container: Container | EphemeralContainer,
  images: ImageStore,
  env: Readonly<Record<string, string>>,
): LaunchPlan {
  const reference = container.image ?? '';
  if (parseImageReference(reference) === undefined) {
    throw new ImageError(
      'InvalidImageName',
      `Failed to apply default image tag "${reference}": couldn't parse image name "${reference}": invalid reference format`,
    );
  }
  const image = images.find(reference);
  const command = (container.command ?? []).map((word) => expandVariables(word, env));
  const args = (container.args ?? []).map((word) => expandVariables(word, env));
  if (command.length > 0) return planCommand(image, [...command, ...args]);
  if (image === undefined) throw unknownImage(container, images);
  if (image.entrypoint === 'args' && args.length > 0) return planCommand(image, args);
  if (image.shell === true && container.stdin === true) return { kind: 'program', image, command: ['sh'] };
  return { kind: 'builtin', image, args: args.length > 0 ? args : (image.defaultArgs ?? []) };
}

/** The same for a command that is run in a container later (exec, probes, hooks). */
export function planCommand(image: BuiltinImage | undefined, command: readonly string[]): LaunchPlan {
  const [word = '', ...rest] = command;
  if (image !== undefined && bringsProgram(image, word)) return { kind: 'builtin', image, args: rest };
  return { kind: 'program', image, command };
}

// `agnhost`, `/agnhost` and `/usr/sbin/nginx` name a program of the image; the host has nothing to say about them.
function bringsProgram({ programs }: BuiltinImage, word: string): boolean {
  return programs.includes(word) || (word.startsWith('/') && programs.includes(basename(word)));
}

function unknownImage({ image = '', imagePullPolicy }: Container | EphemeralContainer, images: ImageStore): ImageError {
  if (imagePullPolicy === 'Never') {
    return new ImageError('ErrImageNeverPull', `Container image "${image}" is not present with pull policy of Never`);
  }
  const available = images.names.join(', ');
  return new ImageError(
    'ErrImagePull',
    `failed to pull image "${image}": towtank pulls nothing. Give the container a command, which runs from this machine's ` +
      `file system, or use a built-in image: ${available}`,
  );
}
