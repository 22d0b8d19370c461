import { describe, expect, test } from 'vitest';
import { mountServiceAccount } from '../../../../src/apiserver/kinds/service-account-volume.ts';
import type { StrategyContext } from '../../../../src/apiserver/machinery/strategy.ts';
import type { ServiceAccount } from '../../../../src/kube/generated/types.ts';
import { buildPod } from '../../../helpers/build-objects.ts';
import { seededRandom } from '../../../helpers/seeded-random.ts';
import { SteppedClock } from '../../../helpers/stepped-clock.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';

function context(account?: ServiceAccount): StrategyContext {
  const reader = { get: () => account as never, list: () => [] };
  return {
    caller: { name: 'admin', groups: [] },
    clock: new SteppedClock(),
    random: seededRandom(),
    reader,
    dryRun: false,
    warn: () => {},
  };
}

describe('the volume of the service account', () => {
  test('is mounted into every container of a new pod, read-only', () => {
    const pod = buildPod({
      spec: { containers: [{ name: 'a' }, { name: 'b' }], initContainers: [{ name: 'init' }] },
    });
    const { spec } = mountServiceAccount(pod, context());
    const [volume] = spec?.volumes ?? [];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected?.sources?.map((source) => Object.keys(source)[0])).toEqual([
      'serviceAccountToken',
      'configMap',
      'downwardAPI',
    ]);
    for (const container of [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]) {
      expect(container.volumeMounts).toEqual([{ name: volume?.name, readOnly: true, mountPath }]);
    }
  });

  test('is left out when the pod says so, whatever the account says', () => {
    const pod = buildPod({ spec: { automountServiceAccountToken: false } });
    expect(mountServiceAccount(pod, context({ automountServiceAccountToken: true }))).toBe(pod);
  });

  test('is left out when the account says so and the pod does not', () => {
    const account = { automountServiceAccountToken: false };
    expect(mountServiceAccount(buildPod(), context(account)).spec?.volumes).toBeUndefined();
    const pod = buildPod({ spec: { automountServiceAccountToken: true } });
    expect(mountServiceAccount(pod, context(account)).spec?.volumes).toHaveLength(1);
  });

  test('leaves alone a container that has something else there', () => {
    const own = [{ name: 'mine', mountPath }];
    const pod = buildPod({ spec: { containers: [{ name: 'a', volumeMounts: own }] } });
    expect(mountServiceAccount(pod, context())).toBe(pod);
  });

  test('is not added twice to a copy of a pod', () => {
    const once = mountServiceAccount(buildPod(), context());
    const twice = mountServiceAccount(once, context());
    expect(twice.spec?.volumes).toHaveLength(1);
    expect(twice.spec?.containers[0]?.volumeMounts).toHaveLength(1);
  });
});
