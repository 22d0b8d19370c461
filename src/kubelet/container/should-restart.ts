import type { Container, ContainerRestartRule, EphemeralContainer, Pod } from '../../kube/generated/types.ts';
import type { ContainerKind } from './pod-containers.ts';

/** True when a container that ended with this exit code is to be started again, by its own rules first, then the pod's. */
export function shouldRestart(
  pod: Pod,
  container: { readonly kind: ContainerKind; readonly spec: Container | EphemeralContainer },
  exitCode: number,
): boolean {
  if (container.kind === 'ephemeral') return false;
  if (container.kind === 'sidecar') return true;
  const rule = container.spec.restartPolicyRules?.find((candidate) => matches(candidate, exitCode));
  if (rule !== undefined) return rule.action === 'Restart';
  const policy = container.spec.restartPolicy ?? pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  // An init container that succeeded is done whatever the policy says.
  if (policy === 'OnFailure' || container.kind === 'init') return exitCode !== 0;
  return true;
}

function matches({ exitCodes }: ContainerRestartRule, exitCode: number): boolean {
  const listed = exitCodes?.values?.includes(exitCode) ?? false;
  if (exitCodes?.operator === 'In') return listed;
  return exitCodes?.operator === 'NotIn' && !listed;
}
