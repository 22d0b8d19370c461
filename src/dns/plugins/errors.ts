import { configError } from '../corefile/config-error.ts';
import type { Directive } from '../corefile/parse-corefile.ts';
import { readArguments, readDuration, readOptions, readRegExp } from '../corefile/read-options.ts';
import type { LogLevel } from '../server/dns-log.ts';
import type { DnsRequest } from '../server/dns-request.ts';
import type { Reply } from '../server/reply.ts';
import { printRecordType } from '../wire/record-type.ts';
import { once } from './once.ts';
import type { Handler, Plugin, PluginEnvironment } from './plugin.ts';

interface Pattern {
  readonly period: number;
  readonly text: string;
  readonly duration: string;
  readonly expression: RegExp;
  readonly level: LogLevel;
  readonly showFirst: boolean;
}

const LEVELS: Readonly<Record<string, LogLevel>> = { warning: 'warning', error: 'error', info: 'info', debug: 'info' };

/** errors: logs queries that failed, those that match a `consolidate` pattern as a count per period. */
export function errorsPlugin(directives: readonly Directive[], environment: PluginEnvironment): readonly Plugin[] {
  const directive = once(directives);
  const patterns: Pattern[] = [];
  if (directive.args.length > 0 && directive.args[0]!.text !== 'stdout') {
    throw configError(directive.args[0]!, `invalid log file: ${directive.args[0]!.text}`);
  }
  readArguments(directive, 0, 1);
  readOptions(directive, {
    // A JavaScript error always carries its stack to the log.
    stacktrace: (line) => void readArguments(line, 0, 0),
    consolidate: (line) => {
      readArguments(line, 2, 4);
      patterns.push(readPattern(line.args));
    },
  });
  return [new ErrorsPlugin(patterns, environment)];
}

function readPattern([period, expression, ...rest]: Directive['args']): Pattern {
  let level: LogLevel | undefined;
  let showFirst = false;
  for (const token of rest) {
    const named = LEVELS[token.text];
    if (token.text === 'show_first') showFirst = true;
    else if (named === undefined) throw configError(token, `unknown option in consolidate: ${token.text}`);
    else if (level !== undefined) throw configError(token, 'multiple log levels specified in consolidate');
    else if (showFirst) throw configError(token, 'log level must come before show_first in consolidate');
    else level = named;
  }
  return {
    period: readDuration(period!),
    duration: period!.text,
    text: expression!.text,
    expression: readRegExp(expression!),
    level: level ?? 'error',
    showFirst,
  };
}

class ErrorsPlugin implements Plugin {
  readonly name = 'errors';
  readonly #patterns: readonly Pattern[];
  readonly #environment: PluginEnvironment;
  readonly #counts = new Map<Pattern, { count: number; timer: Disposable }>();

  constructor(patterns: readonly Pattern[], environment: PluginEnvironment) {
    this.#patterns = patterns;
    this.#environment = environment;
  }

  readonly leavesAlone = (): boolean => true;

  readonly handle = (request: DnsRequest, next: Handler): Reply | Promise<Reply> => {
    const reply = next(request);
    return reply instanceof Promise ? reply.then((done) => this.#note(request, done)) : this.#note(request, reply);
  };

  readonly stop = async (): Promise<void> => {
    for (const [pattern, { timer }] of this.#counts) {
      timer[Symbol.dispose]();
      this.#tell(pattern);
    }
  };

  #note(request: DnsRequest, reply: Reply): Reply {
    if (reply.error === undefined) return reply;
    const { error } = reply;
    const pattern = this.#patterns.find(({ expression }) => expression.test(error));
    if (pattern !== undefined && !this.#isFirstShown(pattern)) return reply;
    const { name, type } = request.question;
    const question = `${reply.rcode} ${name.toLowerCase()} ${printRecordType(type)}`;
    this.#environment.log(pattern?.level ?? 'error', `plugin/errors: ${question}: ${error}`);
    return reply;
  }

  #isFirstShown(pattern: Pattern): boolean {
    const running = this.#counts.get(pattern);
    if (running !== undefined) {
      running.count++;
      return false;
    }
    const timer = this.#environment.clock.schedule(pattern.period, () => this.#tell(pattern));
    this.#counts.set(pattern, { count: 1, timer });
    return pattern.showFirst;
  }

  #tell(pattern: Pattern): void {
    const { count } = this.#counts.get(pattern) ?? { count: 0 };
    this.#counts.delete(pattern);
    if (count === 0 || (count === 1 && pattern.showFirst)) return;
    const line = `${count} errors like '${pattern.text}' occurred in last ${pattern.duration}`;
    this.#environment.log(pattern.level, `plugin/errors: ${line}`);
  }
}
