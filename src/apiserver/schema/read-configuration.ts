import type { KubeObject } from '../../kube/resources.ts';
import { ApiStatusError } from '../../kube/status.ts';
import { yamlWarnings } from './body-errors.ts';
import type { DecodedObject } from './contract.ts';
import { countKeys, jsonShape, MAX_DEPTH } from './json-syntax.ts';
import { parseYaml, YamlProblem, type YamlValue } from './yaml-text.ts';

/** Parses the body of a server-side apply: KindSchema.readConfiguration, the same for all kinds. */
export function readConfiguration(body: Buffer): DecodedObject {
  const { value, duplicates } = parse(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const found = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
    throw undecodable(`json: cannot unmarshal ${found} into Go value of type map[string]interface {}`);
  }
  const lines = duplicates.map((line) => `  ${line}`).join('\n');
  const fieldErrors = duplicates.length > 0 ? [`yaml: unmarshal errors:\n${lines}`] : [];
  return { object: value as KubeObject, fieldErrors, warnings: fieldErrors.flatMap(yamlWarnings) };
}

function parse(body: Buffer): YamlValue {
  const json = parseJson(body);
  if (json !== undefined) return { value: json, duplicates: [] };
  try {
    return parseYaml(body.toString());
  } catch (error) {
    if (error instanceof YamlProblem) throw undecodable(error.message);
    throw error;
  }
}

// Nearly all bodies are JSON, which is read fifty times as fast; one with a key twice is left to the YAML parser.
function parseJson(body: Buffer): object | undefined {
  if (body[0] !== 0x7b) return undefined;
  const { keys, depth } = jsonShape(body);
  if (depth > MAX_DEPTH) return undefined;
  try {
    const value = JSON.parse(body.toString()) as object;
    return countKeys(value) === keys ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const undecodable = (problem: string): ApiStatusError =>
  new ApiStatusError('BadRequest', `error decoding YAML: ${problem}`);
