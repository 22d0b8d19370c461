// Derives src/kube/generated/types.ts from the published Kubernetes schema (shared/data/kubernetes-openapi-v2.json):
// readonly TypeScript interfaces, one for each definition of the API versions that towtank serves or reads.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

interface Schema {
  readonly type?: string;
  readonly format?: string;
  readonly $ref?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema;
}

const source = process.argv[2] ?? new URL('../../shared/data/kubernetes-openapi-v2.json', import.meta.url).pathname;
const target = new URL('../src/kube/generated/types.ts', import.meta.url).pathname;
const definitions = (JSON.parse(readFileSync(source, 'utf8')) as { definitions: Record<string, Schema> }).definitions;

// Where two versions define one name, the first in this list names it plainly; later ones are left out.
const packages = [
  'io.k8s.apimachinery.pkg.apis.meta.v1',
  'io.k8s.apimachinery.pkg.version',
  'io.k8s.api.core.v1',
  'io.k8s.api.apps.v1',
  'io.k8s.api.batch.v1',
  'io.k8s.api.discovery.v1',
  'io.k8s.api.networking.v1',
  'io.k8s.api.coordination.v1',
  'io.k8s.api.rbac.v1',
  'io.k8s.api.autoscaling.v1',
  'io.k8s.api.authentication.v1',
  'io.k8s.api.authorization.v1',
  'io.k8s.api.policy.v1',
  'io.k8s.api.scheduling.v1',
  'io.k8s.api.certificates.v1',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
  'io.k8s.api.storage.v1',
  'io.k8s.api.node.v1',
  'io.k8s.api.flowcontrol.v1',
  'io.k8s.api.admissionregistration.v1',
  'io.k8s.api.autoscaling.v2',
];
// Two groups that use one name: the later one gets a name of its own.
const renamed: Record<string, string> = {
  'io.k8s.api.events.v1.Event': 'EventsV1Event',
  'io.k8s.api.events.v1.EventSeries': 'EventsV1EventSeries',
  'io.k8s.api.discovery.v1.EndpointPort': 'EndpointSlicePort',
  'io.k8s.api.networking.v1.ServiceReference': 'NetworkingServiceReference',
  'io.k8s.api.autoscaling.v2.CrossVersionObjectReference': 'CrossVersionObjectReferenceV2',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler': 'HorizontalPodAutoscalerV2',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec': 'HorizontalPodAutoscalerV2Spec',
  'io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus': 'HorizontalPodAutoscalerV2Status',
  'io.k8s.api.flowcontrol.v1.Subject': 'FlowcontrolSubject',
  'io.k8s.api.storage.v1.TokenRequest': 'StorageTokenRequest',
  'io.k8s.api.admissionregistration.v1.WebhookClientConfig': 'AdmissionWebhookClientConfig',
  'io.k8s.api.admissionregistration.v1.ServiceReference': 'AdmissionServiceReference',
};

const special: Record<string, string> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Readonly<Record<string, unknown>>',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': 'unknown',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'unknown',
};

const names = new Map<string, string>(Object.entries(renamed));
for (const pkg of packages) {
  for (const key of Object.keys(definitions)) {
    const name = key.slice(pkg.length + 1);
    if (!key.startsWith(`${pkg}.`) || name.includes('.') || key in special || names.has(key)) continue;
    if ([...names.values()].includes(name)) process.stderr.write(`left out, its name is taken: ${key}\n`);
    else names.set(key, name);
  }
}

function typeOf(schema: Schema): string {
  if (schema.$ref) {
    const key = schema.$ref.slice('#/definitions/'.length);
    return special[key] ?? names.get(key) ?? 'unknown';
  }
  if (schema.type === 'array') return `readonly ${wrap(typeOf(schema.items ?? {}))}[]`;
  if (schema.type === 'object' && schema.additionalProperties)
    return `Readonly<Record<string, ${typeOf(schema.additionalProperties)}>>`;
  if (schema.type === 'object' && !schema.properties) return 'Readonly<Record<string, unknown>>';
  if (schema.type === 'integer' || schema.type === 'number') return 'number';
  if (schema.type === 'boolean') return 'boolean';
  if (schema.type === 'string') return 'string';
  return 'unknown';
}
const wrap = (type: string): string => (type.includes('|') || type.startsWith('readonly ') ? `(${type})` : type);
const key = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : `'${name}'`);

let text = '// Derived by scripts/derive-kube-types.ts from the published Kubernetes schema. Do not edit.\n';
for (const [definition, name] of [...names].sort((a, b) => (a[1] < b[1] ? -1 : 1))) {
  const schema = definitions[definition] ?? {};
  if (!schema.properties) {
    text += `\nexport type ${name} = ${typeOf(schema)};\n`;
    continue;
  }
  text += `\nexport interface ${name} {\n`;
  for (const [property, value] of Object.entries(schema.properties)) {
    const required = schema.required?.includes(property) ?? false;
    text += `  readonly ${key(property)}${required ? '' : '?'}: ${typeOf(value)}${required ? '' : ' | undefined'};\n`;
  }
  text += '}\n';
}
mkdirSync(new URL('.', `file://${target}`), { recursive: true });
writeFileSync(target, text);
process.stdout.write(`${names.size} types written to ${target}\n`);
