import { unrecognized } from './body-errors.ts';
import type { GroupVersionKind } from './contract.ts';
import { countKeys, goSyntaxError, jsonShape, MAX_DEPTH } from './json-syntax.ts';
import { parseYaml, YamlProblem } from './yaml-text.ts';

/** A JSON body, and what its text has that the value does not show. */
export interface JsonBody {
  readonly value: unknown;
  readonly text: string;
  /** A key stands there twice. */
  readonly hasDuplicates: boolean;
  /** A number that Go reads otherwise than JavaScript. */
  readonly hasUnusualNumbers: boolean;
}

/** Parses JSON. Throws BadRequest in Go's words; `kind` is what the body should be. */
export function readJsonText(body: Buffer, kind: GroupVersionKind): JsonBody {
  const text = body.toString();
  try {
    const { keys, unusualNumbers, depth } = jsonShape(body);
    if (depth <= MAX_DEPTH) {
      const value: unknown = JSON.parse(text);
      return { value, text, hasDuplicates: keys !== countKeys(value), hasUnusualNumbers: unusualNumbers };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const problem = goSyntaxError(body) ?? 'invalid JSON';
  throw unrecognized(kind, `couldn't get version/kind; json parse error: ${problem}`, body);
}

/** A parsed body, and what strict decoding has against it. */
export interface ParsedText {
  readonly value: unknown;
  /** What strict decoding says of keys that stand there twice. */
  readonly fieldErrors: readonly string[];
}

/** Parses YAML. Throws BadRequest in Go's words; `kind` is what the body should be. */
export function readYamlText(body: Buffer, kind: GroupVersionKind): ParsedText {
  try {
    const { value, duplicates } = parseYaml(body.toString());
    const lines = duplicates.map((line) => `  ${line}`).join('\n');
    return { value, fieldErrors: duplicates.length > 0 ? [`yaml: unmarshal errors:\n${lines}`] : [] };
  } catch (error) {
    if (error instanceof YamlProblem) throw unrecognized(kind, error.message, body);
    throw error;
  }
}
