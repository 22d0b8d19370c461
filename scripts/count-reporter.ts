import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** One suite's outcome, appended as a line of JSON to the file that TOWTANK_TEST_SUMMARY names. */
export interface SuiteCount {
  readonly passed: number;
  readonly failed: number;
  /** Full title and reason of each skipped test. */
  readonly skipped: readonly string[];
}

/** Counts tests for scripts/test.ts, which adds up all suites and prints why a test was skipped. */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    const skipped: string[] = [];
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        tests++;
        const result = test.result();
        if (result.state === 'passed') passed++;
        else if (result.state === 'failed') failed++;
        else skipped.push(`${test.fullName}: ${('note' in result && result.note) || reasonInTitle(test.fullName)}`);
      }
      // A file that fails to load has no tests; it must not look like a success.
      if (tests === 0 || module.errors().length > 0) failed++;
    }
    const path = process.env['TOWTANK_TEST_SUMMARY'];
    if (path) appendFileSync(path, `${JSON.stringify({ passed, failed, skipped } satisfies SuiteCount)}\n`);
  }
}

// Where a whole describe is skipped its title says why, in brackets.
function reasonInTitle(title: string): string {
  return /\[(.+?)\]/.exec(title)?.[1] ?? 'no reason given';
}

// biome-ignore lint/style/noDefaultExport: Vitest loads a reporter by its default export.
export default CountReporter;
