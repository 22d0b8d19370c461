/** The layouts of metav1.Time and metav1.MicroTime. */
export type GoTimeLayout = '2006-01-02T15:04:05Z07:00' | '2006-01-02T15:04:05.000000Z07:00';

export const RFC3339: GoTimeLayout = '2006-01-02T15:04:05Z07:00';
export const RFC3339_MICRO: GoTimeLayout = '2006-01-02T15:04:05.000000Z07:00';

/** A text is no time; the message is that of Go's time.Parse. */
export class GoTimeError extends Error {}

/** The text in which the real server writes a time back: in UTC, in whole seconds or with six digits. Throws GoTimeError. */
export function canonicalTime(text: string, layout: GoTimeLayout): string {
  const { ms, micros } = new Parser(text, layout).parse();
  const iso = new Date(ms).toISOString();
  // Years beyond 9999 or before 0 appear when an offset pushes them there; Go refuses to print them.
  if (iso.length !== 24) throw new GoTimeError('Time.MarshalJSON: year outside of range [0,9999]');
  return layout === RFC3339 ? `${iso.slice(0, 19)}Z` : `${iso.slice(0, 19)}.${String(micros).padStart(6, '0')}Z`;
}

const isDigit = (text: string, index: number): boolean => text[index] !== undefined && /[0-9]/.test(text[index]);

class Parser {
  readonly #text: string;
  readonly #layout: GoTimeLayout;
  #rest: string;

  constructor(text: string, layout: GoTimeLayout) {
    this.#text = text;
    this.#layout = layout;
    this.#rest = text;
  }

  /** Milliseconds since the epoch of the whole second, and the microseconds in it. */
  parse(): { readonly ms: number; readonly micros: number } {
    const year = this.#number(4, '2006');
    this.#skip('-');
    const month = this.#inRange(this.#number(2, '01'), [1, 12], 'month');
    this.#skip('-');
    const day = this.#number(2, '02');
    this.#skip('T');
    const hour = this.#inRange(this.#number(2, '15', 1), [0, 23], 'hour');
    this.#skip(':');
    const minute = this.#inRange(this.#number(2, '04'), [0, 59], 'minute');
    this.#skip(':');
    const second = this.#inRange(this.#number(2, '05'), [0, 59], 'second');
    const micros = this.#layout === RFC3339 ? this.#optionalFraction() : this.#fraction();
    const offset = this.#offset();
    if (this.#rest !== '') throw this.#error(`: extra text: ${quote(this.#rest)}`);
    const ms = Date.UTC(2000, month - 1, day, hour, minute, second);
    return { ms: this.#atYear(ms, { year, month, day }) - offset * 60_000, micros };
  }

  // Date.UTC maps years below 100 to the twentieth century, so that the year is set apart.
  #atYear(ms: number, { year, month, day }: { year: number; month: number; day: number }): number {
    const date = new Date(ms);
    date.setUTCFullYear(year, month - 1, day);
    if (day < 1 || date.getUTCDate() !== day) throw this.#error(': day out of range');
    return date.getTime();
  }

  #number(digits: number, element: string, least = digits): number {
    let length = 0;
    while (length < digits && isDigit(this.#rest, length)) length++;
    if (length < least) throw this.#mismatch(element);
    const value = Number(this.#rest.slice(0, length));
    this.#rest = this.#rest.slice(length);
    return value;
  }

  #inRange(value: number, [low, high]: readonly [number, number], what: string): number {
    if (value < low || value > high) throw this.#error(`: ${what} out of range`);
    return value;
  }

  #skip(literal: string): void {
    if (!this.#rest.startsWith(literal)) throw this.#mismatch(literal);
    this.#rest = this.#rest.slice(literal.length);
  }

  #optionalFraction(): number {
    const match = /^[.,]([0-9]+)/.exec(this.#rest);
    if (match) this.#rest = this.#rest.slice(match[0].length);
    return 0;
  }

  #fraction(): number {
    const match = /^[.,]([0-9]{6})/.exec(this.#rest);
    if (!match) throw this.#mismatch('.000000');
    this.#rest = this.#rest.slice(7);
    return Number(match[1]);
  }

  /** Minutes east of Greenwich. */
  #offset(): number {
    if (this.#rest.startsWith('Z')) {
      this.#rest = this.#rest.slice(1);
      return 0;
    }
    const match = /^([+-])([0-9]{2}):([0-9]{2})/.exec(this.#rest);
    if (!match) throw this.#mismatch('Z07:00');
    const [hours, minutes] = [Number(match[2]), Number(match[3])];
    this.#inRange(hours, [0, 24], 'time zone offset hour');
    this.#inRange(minutes, [0, 60], 'time zone offset minute');
    this.#rest = this.#rest.slice(6);
    return (match[1] === '-' ? -1 : 1) * (hours * 60 + minutes);
  }

  #mismatch(element: string): GoTimeError {
    return this.#error(` as ${quote(this.#layout)}: cannot parse ${quote(this.#rest)} as ${quote(element)}`);
  }

  #error(problem: string): GoTimeError {
    return new GoTimeError(`parsing time ${quote(this.#text)}${problem}`);
  }
}

/** As the time package quotes: bytes beyond printable ASCII in hexadecimal. */
function quote(text: string): string {
  let quoted = '';
  for (const byte of Buffer.from(text)) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte >= 0x7f) quoted += `\\x${byte.toString(16).padStart(2, '0')}`;
    else quoted += String.fromCharCode(byte);
  }
  return `"${quoted}"`;
}
