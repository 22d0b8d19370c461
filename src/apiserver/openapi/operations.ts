import type { GroupVersionKind, ResourceFacts } from '../schema/contract.ts';
import { reference, type Schema } from './struct-schema.ts';

/** Definition name of a kind, in this document. */
export type DefinitionOf = (kind: GroupVersionKind) => string | undefined;

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1.';
const string = { type: 'string', uniqueItems: true };
const integer = { type: 'integer', uniqueItems: true };
const boolean = { type: 'boolean', uniqueItems: true };
const query = (name: string, schema: Schema): Schema => ({ name, in: 'query', schema });

const writeParameters = [query('dryRun', string), query('fieldManager', string), query('fieldValidation', string)];
const applyParameters = [...writeParameters, query('force', boolean)];
const deleteParameters = [
  query('dryRun', string),
  query('gracePeriodSeconds', integer),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', boolean),
  query('orphanDependents', boolean),
  query('propagationPolicy', string),
];
const listParameters = [
  query('allowWatchBookmarks', boolean),
  query('continue', string),
  query('fieldSelector', string),
  query('labelSelector', string),
  query('limit', integer),
  query('resourceVersion', string),
  query('resourceVersionMatch', string),
  query('sendInitialEvents', boolean),
  query('timeoutSeconds', integer),
  query('watch', boolean),
];
const pathParameter = (name: string): Schema => ({ name, in: 'path', required: true, schema: string });
const patchTypes = ['apply-patch+yaml', 'json-patch+json', 'merge-patch+json', 'strategic-merge-patch+json'];

interface Verb {
  readonly method: string;
  readonly action: string;
  readonly operation: string;
  readonly parameters?: readonly Schema[];
  /** Media types of the body. */
  readonly consumes?: readonly string[];
  /** Definition of the body and of the answer where they are not the kind itself. */
  readonly body?: string;
  readonly answer?: string;
}

const deletion = {
  parameters: deleteParameters,
  consumes: ['*/*'],
  body: `${meta}DeleteOptions`,
  answer: `${meta}Status`,
} as const;
const objectVerbs: Readonly<Record<string, Verb>> = {
  get: { method: 'get', action: 'get', operation: 'read' },
  update: { method: 'put', action: 'put', operation: 'replace', parameters: writeParameters, consumes: ['*/*'] },
  patch: {
    method: 'patch',
    action: 'patch',
    operation: 'patch',
    parameters: applyParameters,
    consumes: patchTypes.map((type) => `application/${type}`),
    body: `${meta}Patch`,
  },
  delete: { method: 'delete', action: 'delete', operation: 'delete', ...deletion },
};
const create: Verb = {
  method: 'post',
  action: 'post',
  operation: 'create',
  parameters: writeParameters,
  consumes: ['*/*'],
};
const collectionVerbs: Readonly<Record<string, Verb>> = {
  list: { method: 'get', action: 'list', operation: 'list', parameters: listParameters },
  create,
  deletecollection: {
    method: 'delete',
    action: 'deletecollection',
    operation: 'delete',
    ...deletion,
    parameters: [...listParameters.filter(({ name }) => name !== 'watch'), ...deleteParameters],
  },
};

/** The paths of a resource or subresource with their operations; `owner` is the kind of the resource itself. */
export function pathsOf(
  facts: ResourceFacts,
  owner: string,
  definitionOf: DefinitionOf,
): Readonly<Record<string, Schema>> {
  const root = facts.group === '' ? `/api/${facts.version}` : `/apis/${facts.group}/${facts.version}`;
  const scoped = facts.namespaced ? `${root}/namespaces/{namespace}/${facts.resource}` : `${root}/${facts.resource}`;
  const namespace = facts.namespaced ? [pathParameter('namespace')] : [];
  const object = [pathParameter('name'), ...namespace, query('pretty', string)];
  if (facts.subresource !== undefined) {
    const verbs = { ...objectVerbs, create };
    return nonEmpty({
      [`${scoped}/{name}/${facts.subresource}`]: {
        ...operations({ facts, owner, verbs }, definitionOf),
        parameters: object,
      },
    });
  }
  const collection = [...namespace, query('pretty', string)];
  const everywhere = facts.namespaced && facts.verbs.includes('list') ? listEverywhere(facts, definitionOf) : undefined;
  return nonEmpty({
    ...(everywhere ? { [`${root}/${facts.resource}`]: everywhere } : {}),
    [scoped]: { ...operations({ facts, owner, verbs: collectionVerbs }, definitionOf), parameters: collection },
    [`${scoped}/{name}`]: { ...operations({ facts, owner, verbs: objectVerbs }, definitionOf), parameters: object },
  });
}

// Paths without any operation are none.
function nonEmpty(paths: Readonly<Record<string, Schema>>): Readonly<Record<string, Schema>> {
  return Object.fromEntries(
    Object.entries(paths).filter(([, item]) => Object.keys(item).some((key) => key !== 'parameters')),
  );
}

interface Operations {
  readonly facts: ResourceFacts;
  readonly owner: string;
  readonly verbs: Readonly<Record<string, Verb>>;
}

function operations({ facts, owner, verbs }: Operations, definitionOf: DefinitionOf): Schema {
  const name = `${facts.namespaced ? 'Namespaced' : ''}${owner}${capitalized(facts.subresource ?? '')}`;
  const served = facts.verbs.flatMap((verb) => verbs[verb] ?? []);
  return Object.fromEntries(served.map((verb) => [verb.method, operation(facts, { verb, name }, definitionOf)]));
}

function listEverywhere(facts: ResourceFacts, definitionOf: DefinitionOf): Schema {
  const { parameters, ...verb } = collectionVerbs['list']!;
  const get = operation(facts, { verb, name: `${facts.kind.kind}ForAllNamespaces` }, definitionOf);
  return { get, parameters: [...(parameters ?? []), query('pretty', string)] };
}

interface OperationPlan {
  readonly verb: Verb;
  /** What the operation is on, as the end of its id. */
  readonly name: string;
}

function operation(facts: ResourceFacts, { verb, name }: OperationPlan, definitionOf: DefinitionOf): Schema {
  const kind = definitionOf(facts.kind);
  const answer =
    verb.action === 'list' ? definitionOf({ ...facts.kind, kind: `${facts.kind.kind}List` }) : (verb.answer ?? kind);
  // Custom kinds cannot be patched strategically, and clients go by what stands here.
  const consumes = verb.consumes?.filter((type) => !(facts.custom && type.includes('strategic')));
  const body = consumes && (verb.body ?? kind);
  const group = `${capitalized(tagOf(facts))}${verb.action === 'deletecollection' ? 'Collection' : ''}`;
  return {
    tags: [tagOf(facts)],
    operationId: `${verb.operation}${group}${name}`,
    ...(verb.parameters ? { parameters: verb.parameters } : {}),
    ...(body && consumes
      ? {
          requestBody: {
            content: content(consumes, body),
            ...(verb.method === 'delete' ? {} : { required: true }),
          },
        }
      : {}),
    responses: {
      '200': { description: 'OK', ...(answer ? { content: content(['application/json'], answer) } : {}) },
      '401': { description: 'Unauthorized' },
    },
    'x-kubernetes-action': verb.action,
    'x-kubernetes-group-version-kind': facts.kind,
  };
}

function content(types: readonly string[], definition: string): Schema {
  return Object.fromEntries(types.map((type) => [type, { schema: reference(definition) }]));
}

// `core_v1`, `rbacAuthorization_v1`: the group without its last parts, as generated clients know it.
function tagOf({ group, version }: ResourceFacts): string {
  const words = group === '' ? ['core'] : group.replace(/\.k8s\.io$/, '').split('.');
  return `${words.map((word, index) => (index === 0 ? word : capitalized(word))).join('')}_${version}`;
}

const capitalized = (word: string): string =>
  word.replace(/^./, (first) => first.toUpperCase()).replace(/_(.)/, (_all, first: string) => first.toUpperCase());
