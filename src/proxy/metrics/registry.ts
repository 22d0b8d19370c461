/** Labels of one sample, in the order in which they are printed. */
export type Labels = Readonly<Record<string, string>>;

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** Lines of samples, without HELP and TYPE. */
  samples(): string[];
}

/** Metrics of one program, printed in Prometheus' text format in the order of their names. */
export class Registry {
  readonly #metrics = new Map<string, Metric>();

  counter(name: string, help: string): Counter {
    return this.#add(new Counter(name, help, 'counter'));
  }

  gauge(name: string, help: string): Gauge {
    return this.#add(new Gauge(name, help, 'gauge'));
  }

  /** `buckets` are upper bounds in rising order, without +Inf. */
  histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    return this.#add(new Histogram(name, help, buckets));
  }

  /** The text exposition; metrics without samples are left out. */
  text(): string {
    const names = [...this.#metrics.keys()].sort();
    return names.map((name) => printMetric(this.#metrics.get(name)!)).join('');
  }

  #add<T extends Metric>(metric: T): T {
    this.#metrics.set(metric.name, metric);
    return metric;
  }
}

function printMetric(metric: Metric): string {
  const samples = metric.samples();
  if (samples.length === 0) return '';
  const head = [`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.type}`];
  return `${[...head, ...samples].join('\n')}\n`;
}

/** A value per set of labels. */
export class Gauge implements Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly #values = new Map<string, number>();

  constructor(name: string, help: string, type: 'counter' | 'gauge') {
    this.name = name;
    this.help = help;
    this.type = type;
  }

  set(value: number, labels: Labels = {}): void {
    this.#values.set(printLabels(labels), value);
  }

  add(value: number, labels: Labels = {}): void {
    const key = printLabels(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + value);
  }

  /** The value of these labels, 0 when it was never set. */
  get(labels: Labels = {}): number {
    return this.#values.get(printLabels(labels)) ?? 0;
  }

  samples(): string[] {
    return [...this.#values].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${this.name}${key} ${value}`);
  }
}

/** A value that only grows. */
export class Counter extends Gauge {}

/** What a histogram knows of one set of labels; `counts` are per bucket. */
export interface Observations {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  count: number;
}

/** How observed values are spread over buckets. */
export class Histogram implements Metric {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #buckets: readonly number[];
  readonly #observed = new Map<string, Observations>();

  constructor(name: string, help: string, buckets: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#buckets = buckets;
  }

  observe(value: number, labels: Labels = {}): void {
    const key = printLabels(labels);
    const entry = this.#observed.get(key) ?? { labels, counts: this.#buckets.map(() => 0), sum: 0, count: 0 };
    this.#observed.set(key, entry);
    const index = this.#buckets.findIndex((bound) => value <= bound);
    if (index !== -1) entry.counts[index]! += 1;
    entry.sum += value;
    entry.count += 1;
  }

  /** Takes over what was observed elsewhere. */
  restore(observations: Observations): void {
    this.#observed.set(printLabels(observations.labels), observations);
  }

  samples(): string[] {
    return [...this.#observed.values()].flatMap(({ labels, counts, sum, count }) => {
      let total = 0;
      const buckets = this.#buckets.map((bound, index) => {
        total += counts[index]!;
        return `${this.name}_bucket${printLabels({ ...labels, le: String(bound) })} ${total}`;
      });
      return [
        ...buckets,
        `${this.name}_bucket${printLabels({ ...labels, le: '+Inf' })} ${count}`,
        `${this.name}_sum${printLabels(labels)} ${sum}`,
        `${this.name}_count${printLabels(labels)} ${count}`,
      ];
    });
  }
}

// Labels that never change are printed once: some are counted with for every change of an endpoint.
const printed = new WeakMap<Labels, string>();

function printLabels(labels: Labels): string {
  const known = printed.get(labels);
  if (known !== undefined) return known;
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeValue(value)}"`);
  const text = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  if (Object.isFrozen(labels)) printed.set(labels, text);
  return text;
}

const escapeValue = (value: string): string => value.replace(/([\\"])/g, '\\$1').replaceAll('\n', '\\n');
