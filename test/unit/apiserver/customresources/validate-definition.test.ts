import { expect, test } from 'vitest';
import {
  validateDefinition,
  validateDefinitionUpdate,
} from '../../../../src/apiserver/customresources/validate-definition.ts';
import { buildDefinition } from '../../../helpers/custom-resources.ts';

const names = { plural: 'boats', singular: 'boat', kind: 'Boat', listKind: 'BoatList' };
const built = buildDefinition({ names });
const [version] = built.spec.versions;
const rules = [{ rule: 'self.crew == "many"' }];
const properties = { crew: { type: 'integer' } };
const openAPIV3Schema = { type: 'object', properties, 'x-kubernetes-validations': rules };
const mistyped = { ...built, spec: { ...built.spec, versions: [{ ...version!, schema: { openAPIV3Schema } }] } };

test('a definition with a rule of wrong types is refused when it is created or changed', () => {
  const field = 'spec.validation.openAPIV3Schema.x-kubernetes-validations[0].rule';
  expect(validateDefinition(mistyped)).toMatchObject([{ field }]);
  expect(validateDefinitionUpdate(mistyped, built)).toMatchObject([{ field }]);
});

test('a definition that is stored with such a rule can be annotated and deleted', () => {
  const marked = { ...mistyped, metadata: { ...mistyped.metadata, annotations: { note: 'old' } } };
  expect(validateDefinitionUpdate(marked, mistyped)).toEqual([]);
});
