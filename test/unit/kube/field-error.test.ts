import { expect, test } from 'vitest';
import { invalidObject } from '../../../src/kube/field-error.ts';
import { resources } from '../../../src/kube/resources.ts';
import { buildDeployment, buildService } from '../../helpers/build-objects.ts';

test('one error is worded as the real server words it, with its cause', () => {
  const error = invalidObject(resources.services, buildService({ name: 'a' }), [
    { type: 'Invalid', field: 'spec.clusterIPs', value: ['10.0.0.1'], detail: 'failed to allocate' },
  ]);
  expect(error.status).toBe(422);
  expect(error.message).toBe(
    'Service "a" is invalid: spec.clusterIPs: Invalid value: ["10.0.0.1"]: failed to allocate',
  );
  expect(error.details?.causes).toEqual([
    {
      reason: 'FieldValueInvalid',
      message: 'Invalid value: ["10.0.0.1"]: failed to allocate',
      field: 'spec.clusterIPs',
    },
  ]);
});

test('several errors stand in brackets, and the kind carries its group', () => {
  const error = invalidObject(resources.deployments, buildDeployment({ name: 'a' }), [
    { type: 'Required', field: 'spec.selector', detail: '' },
    { type: 'NotSupported', field: 'spec.x', value: 'a', supported: ['b', 'c'] },
    { type: 'Duplicate', field: 'spec.y', value: 1 },
    { type: 'Forbidden', field: 'spec.z', detail: 'may not' },
  ]);
  expect(error.message).toBe(
    'Deployment.apps "a" is invalid: [spec.selector: Required value, spec.x: Unsupported value: "a": supported values: "b", "c", ' +
      'spec.y: Duplicate value: 1, spec.z: Forbidden: may not]',
  );
});
