/** What a measure has to reach: by itself, or beside the peer. */
export interface Goal {
  readonly goal: string;
  readonly under?: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** The value in the middle. */
export function median(values: readonly number[]): number {
  return percentile(
    [...values].sort((a, b) => a - b),
    0.5,
  );
}

/** The value that a share of sorted values is not above. */
export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Opens a Markdown table. */
export function printTitle(title: string): void {
  process.stdout.write(
    `${title}\n\n| medians of 5 | towtank | CoreDNS | ratio | goal | rounds |\n|---|---|---|---|---|---|\n`,
  );
}

/** One measure: its rounds by server, ours first. */
export function printRow(what: string, rounds: readonly (readonly number[])[], goal: Goal): void {
  const [own = Number.NaN, peer] = rounds.map(median);
  const ratio = peer === undefined ? undefined : own / peer;
  const cells = [what, print(own), peer === undefined ? '' : print(peer), ratio?.toFixed(2) ?? ''];
  const all = rounds.map((values) => values.map(print).join(' ')).join(' / ');
  process.stdout.write(`| ${[...cells, verdict(own, ratio, goal), all].join(' | ')} |\n`);
}

function verdict(own: number, ratio: number | undefined, { goal, under, atLeast, atMost }: Goal): string {
  const reached =
    under !== undefined
      ? own < under
      : ratio === undefined ||
        ((atLeast === undefined || ratio >= atLeast) && (atMost === undefined || ratio <= atMost));
  return `${goal}${reached ? '' : ' (missed)'}`;
}

function print(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} k`;
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
