import type { Pod } from '../../kube/generated/types.ts';
import { badRequest } from '../machinery/errors.ts';

/** The container that a request means. Throws ApiStatusError BadRequest when it names none or one that is not there. */
export function targetContainer(pod: Pod, wanted: string): string {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec ?? {};
  const name = pod.metadata?.name ?? '';
  const names = (list: readonly { readonly name: string }[]): string[] => list.map((container) => container.name);
  if (wanted !== '') {
    if ([...names(containers), ...names(initContainers), ...names(ephemeralContainers)].includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  const [only] = containers;
  if (only && containers.length === 1) return only.name;
  const init =
    initContainers.length === 0 ? '' : ` or one of the init containers: [${names(initContainers).join(' ')}]`;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${names(containers).join(' ')}]${init}`,
  );
}
