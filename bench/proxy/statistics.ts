// Medians, quantiles, and a Markdown table of them.

export const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** One line of the table; `holds` is undefined where nothing was promised. */
export interface Row {
  readonly what: string;
  readonly size: string;
  readonly ours: string;
  readonly theirs: string;
  readonly wanted: string;
  readonly holds: boolean | undefined;
}

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

/** A number with its unit, or a dash for one that was not measured. */
export const shown = (value: number | undefined, unit: string): string =>
  value === undefined || Number.isNaN(value) ? '-' : `${digits(value)} ${unit}`;

/** A row that compares with kube-proxy: ours may take so much of its time or memory. */
export function comparison(
  what: string,
  size: string,
  {
    ours,
    theirs,
    unit,
    atMost,
  }: { readonly ours: number; readonly theirs: number | undefined; readonly unit: string; readonly atMost: number },
): Row {
  const ratio = theirs === undefined ? undefined : ours / theirs;
  return {
    what,
    size,
    ours: shown(ours, unit),
    theirs: ratio === undefined ? '-' : `${shown(theirs, unit)} (${ratio.toFixed(2)})`,
    wanted: `at most ${atMost} of kube-proxy`,
    holds: ratio === undefined ? undefined : ratio <= atMost,
  };
}

/** A row with a limit of its own. */
export function limited(
  what: string,
  size: string,
  {
    ours,
    theirs,
    unit,
    below,
  }: { readonly ours: number; readonly theirs?: number | undefined; readonly unit: string; readonly below: number },
): Row {
  return {
    what,
    size,
    ours: shown(ours, unit),
    theirs: shown(theirs, unit),
    wanted: `below ${shown(below, unit)}`,
    holds: ours < below,
  };
}

/** Prints rows as a table. The numbers in brackets are ours over kube-proxy's. */
export function printTable(rows: readonly Row[]): void {
  const lines = [
    '| | services x endpoints | towtank | kube-proxy (ratio) | wanted | holds |',
    '|---|---|---|---|---|---|',
    ...rows.map(({ what, size, ours, theirs, wanted, holds }) => {
      const verdict = holds === undefined ? '' : holds ? 'yes' : '**no**';
      return `| ${[what, size, ours, theirs, wanted, verdict].join(' | ')} |`;
    }),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
