import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Why tests were not run, and how many: the first one stands for the others. */
export interface SkipReason {
  readonly title: string;
  readonly reason: string;
  readonly count: number;
}

/** One suite's outcome, appended as a line of JSON to the file that TOWTANK_TEST_SUMMARY names. */
export interface SuiteCount {
  readonly passed: number;
  readonly failed: number;
  /** Full title and first line of the error of each failed test, so that the end of a long log names them. */
  readonly failures: readonly string[];
  readonly skipped: readonly SkipReason[];
}

/** Counts tests for scripts/test.ts, which adds up all suites and prints why a test was skipped. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    const skipped = new Map<string, SkipReason>();
    const failures = unhandledErrors.map((error) => `unhandled: ${firstLine(error)}`);
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        tests++;
        const result = test.result();
        if (result.state === 'passed') passed++;
        else if (result.state === 'failed') {
          failed++;
          failures.push(`${module.relativeModuleId} > ${test.fullName}: ${result.errors.map(firstLine).join('; ')}`);
        } else {
          const reason = ('note' in result && result.note) || reasonInTitle(test.fullName);
          const { title, count } = skipped.get(reason) ?? { title: test.fullName, count: 0 };
          skipped.set(reason, { title, reason, count: count + 1 });
        }
      }
      // A file that fails to load has no tests; it must not look like a success.
      if (tests === 0 || module.errors().length > 0) {
        failed++;
        failures.push(`${module.relativeModuleId}: ${module.errors().map(firstLine).join('; ') || 'no test in it'}`);
      }
    }
    const path = process.env['TOWTANK_TEST_SUMMARY'];
    const suite: SuiteCount = { passed, failed, failures, skipped: [...skipped.values()] };
    if (path) appendFileSync(path, `${JSON.stringify(suite)}\n`);
  }
}

function firstLine(error: unknown): string {
  const text = error instanceof Object && 'message' in error ? String(error.message) : String(error);
  return (text.split('\n', 1)[0] ?? '').slice(0, 300);
}

// Where a whole describe is skipped its title says why, in brackets at its end.
function reasonInTitle(title: string): string {
  return /\[([^[\]]+)\](?= >|$)/.exec(title)?.[1] ?? 'no reason given';
}

// biome-ignore lint/style/noDefaultExport: Vitest loads a reporter by its default export.
export default CountReporter;
