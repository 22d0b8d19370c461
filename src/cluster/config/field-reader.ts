import { UserError } from '../../errors/towtank-error.ts';
import { parseGoDuration } from '../../proxy/config/go-duration.ts';

/** Reads one value of a document and speaks of it by its path (`spec.nodes[1].name`) when it is wrong. */
export class FieldReader {
  readonly path: string;
  readonly value: unknown;
  readonly #file: string;

  constructor(value: unknown, path: string, file: string) {
    this.value = value;
    this.path = path;
    this.#file = file;
  }

  get absent(): boolean {
    return this.value === undefined || this.value === null;
  }

  /** The same field with another value, as a flag gives it. */
  with(value: unknown): FieldReader {
    return new FieldReader(value, this.path, this.#file);
  }

  /** The error for this field: `FILE: spec.x: MESSAGE`. */
  fail(message: string, hint?: string): UserError {
    return new UserError({
      code: 'ERR_INVALID_CONFIG',
      message: `${this.#file}: ${this.path === '' ? 'document' : this.path}: ${message}`,
      hint: hint ?? 'see docs/reference/cluster-yaml.md for every field',
    });
  }

  /** The fields of an object; a field that is not in `known` is refused. An absent value is an empty object. */
  fields<K extends string>(known: readonly K[]): Readonly<Record<K, FieldReader>> {
    if (!this.absent && (typeof this.value !== 'object' || Array.isArray(this.value)))
      throw this.fail('must be an object');
    const object = (this.value ?? {}) as Record<string, unknown>;
    const prefix = this.path === '' ? '' : `${this.path}.`;
    for (const name of Object.keys(object)) {
      if (!(known as readonly string[]).includes(name)) {
        throw new FieldReader(undefined, prefix + name, this.#file).fail(
          `unknown field; known here: ${known.join(', ')}`,
        );
      }
    }
    return Object.fromEntries(
      known.map((name) => [name, new FieldReader(object[name], prefix + name, this.#file)]),
    ) as Record<K, FieldReader>;
  }

  items(): readonly FieldReader[] {
    if (!Array.isArray(this.value)) throw this.fail('must be a list');
    return this.value.map((item, index) => new FieldReader(item, `${this.path}[${index}]`, this.#file));
  }

  string(fallback: string, check?: (text: string) => string | undefined): string {
    if (this.absent) return fallback;
    if (typeof this.value !== 'string') throw this.fail('must be text');
    const problem = check?.(this.value);
    if (problem !== undefined) throw this.fail(problem);
    return this.value;
  }

  integer(fallback: number, minimum: number, maximum: number): number {
    if (this.absent) return fallback;
    if (!Number.isInteger(this.value) || (this.value as number) < minimum || (this.value as number) > maximum) {
      throw this.fail(`must be a whole number from ${minimum} to ${maximum}`);
    }
    return this.value as number;
  }

  flag(fallback: boolean): boolean {
    if (this.absent) return fallback;
    if (typeof this.value !== 'boolean') throw this.fail('must be true or false');
    return this.value;
  }

  /** Milliseconds of a duration such as `1m30s`; undefined when the field is absent. */
  duration(): number | undefined {
    if (this.absent) return undefined;
    const ms = parseGoDuration(this.string(''));
    if (ms === undefined || ms < 0) throw this.fail('must be a duration such as 30s or 1h30m');
    return ms;
  }

  oneOf<K extends string>(choices: readonly K[], fallback: K): K {
    if (this.absent) return fallback;
    if (!choices.includes(this.value as K)) throw this.fail(`must be one of ${choices.join(', ')}`);
    return this.value as K;
  }

  labels(): Readonly<Record<string, string>> {
    if (this.absent) return {};
    const entries = Object.entries(this.fields(Object.keys(this.value as object)));
    return Object.fromEntries(entries.map(([key, field]) => [key, field.string('')]));
  }
}
